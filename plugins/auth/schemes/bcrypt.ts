import { MailError, type PasswordScheme } from 'mailwright/api'
import { withoutLabel } from '../shared/equal.js'

/** Below this the hash is made anew when its password is seen. */
const MIN_COST = 10

/** What this needs of the package `bcryptjs`. */
export type BcryptCompare = (password: string, stored: string) => Promise<boolean>

/** bcrypt (`$2a$`, `$2b$`, `$2y$`); only for hashes that are there already. It reads 72 octets of a password, and no more. */
export function bcryptScheme(compare: BcryptCompare): PasswordScheme {
  return {
    prefixes: ['$2a$', '$2b$', '$2y$', '{BLF-CRYPT}', '{BCRYPT}'],
    async check(stored, password) {
      const text = bcryptText(stored)
      let said: string
      try {
        said = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(password.reveal())
      } catch {
        return false
      }
      return await compare(said, text)
    },
    outdated: (stored) => Number(bcryptText(stored).slice(4, 6)) < MIN_COST,
  }
}

function bcryptText(stored: string): string {
  const text = withoutLabel(stored)
  const found = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(text)
  const cost = Number(found?.[1])
  if (found === null || cost < 4 || cost > 20) throw new MailError('corrupt', 'a stored bcrypt hash is not of the form $2b$10$ and 53 characters, or costs more than 20')
  return text
}
