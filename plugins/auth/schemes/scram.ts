import { MailError, type PasswordScheme } from 'mailwright/api'
import { equalOctets } from '../shared/equal.js'
import { parseScram, SCRAM_ITERATIONS, scramKeys } from '../shared/scram-keys.js'

/** Keys of SCRAM (RFC 5803 and its like) also tell whether a password is the right one. */
export const scramScheme: PasswordScheme = {
  prefixes: ['{SCRAM-SHA-1}', '{SCRAM-SHA-256}', 'SCRAM-SHA-1$', 'SCRAM-SHA-256$'],
  async check(stored, password) {
    const { hash, keys } = parsed(stored)
    return equalOctets((await scramKeys(hash, password.reveal(), keys.iterations, keys.salt)).storedKey, keys.storedKey)
  },
  outdated: (stored) => parsed(stored).keys.iterations < SCRAM_ITERATIONS,
}

function parsed(stored: string): NonNullable<ReturnType<typeof parseScram>> {
  const found = parseScram(stored)
  if (found === undefined) throw new MailError('corrupt', 'stored SCRAM keys are not of the form {SCRAM-SHA-256}iterations,salt,stored key,server key')
  return found
}
