import { MailError, type PasswordScheme } from 'mailwright/api'
import { equalText, withoutLabel } from '../shared/equal.js'

/** crypt(3): the hash of a password with the method and salt of a stored one; undefined when the library knows no such method. */
export type Crypt = (password: Uint8Array, setting: string) => Promise<string | undefined>

/** What only the system's crypt(3) knows. */
export const STRONG_CRYPT: readonly string[] = ['$y$', '$gy$', '$7$', '$sha1$']
export const MD5_CRYPT: readonly string[] = ['$1$', '{MD5-CRYPT}', '{MD5}$1$']
const DES = /^(?:_[./0-9A-Za-z]{19}|[./0-9A-Za-z]{13})$/

/** Hashes of crypt(3) that have a prefix. */
export function cryptScheme(crypt: Crypt | undefined, prefixes: readonly string[], refused?: string): PasswordScheme {
  return { prefixes, ...(refused === undefined ? {} : { refused }), check: (stored, password) => compare(crypt, withoutLabel(stored), password.reveal()), outdated: () => !prefixes.includes('$y$') }
}

/** DES crypt and its BSDi form, which have none; both look at few characters of a password, and fall to a patient machine. */
export function desScheme(crypt: Crypt | undefined, refused: string | undefined): PasswordScheme {
  return {
    prefixes: ['{DES-CRYPT}', '{BSDI-CRYPT}'],
    recognises: (stored) => DES.test(stored),
    ...(refused === undefined ? {} : { refused }),
    check: (stored, password) => compare(crypt, withoutLabel(stored), password.reveal()),
    outdated: () => true,
  }
}

async function compare(crypt: Crypt | undefined, stored: string, password: Uint8Array): Promise<boolean> {
  if (crypt === undefined) throw new MailError('unavailable', 'hashes of crypt(3) need the package "koffi" and libcrypt: run "npm install koffi"')
  if (stored.length < 13) throw new MailError('corrupt', 'a stored crypt(3) hash is too short')
  const made = await crypt(password, stored)
  // libxcrypt answers "*0" for what it does not know.
  if (made === undefined || made.startsWith('*')) throw new MailError('corrupt', 'crypt(3) of this machine does not know the method of a stored hash')
  return equalText(made, stored)
}
