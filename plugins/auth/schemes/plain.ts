import { createHash } from 'node:crypto'
import type { PasswordScheme } from 'mailwright/api'
import { equalOctets, withoutLabel } from '../shared/equal.js'

const WORDS = ['PLAIN', 'CLEARTEXT', 'CLEAR']

/** A password that is not hashed at all, for tests and demonstrations; without `allow` nobody has it. */
export function plainScheme(allow: boolean): PasswordScheme {
  const digest = (octets: Uint8Array): Uint8Array => createHash('sha256').update(octets).digest()
  return {
    prefixes: WORDS.flatMap((word) => [`{${word}}`, `{${word}.B64}`, `{${word}.HEX}`]),
    ...(allow ? {} : { refused: 'the password stands in clear; auth.schemes: [{ use: plain, allow: true }] takes it' }),
    // Digests have one length, so that the comparison does not tell the password's.
    check: (stored, password) => Promise.resolve(equalOctets(digest(Buffer.from(withoutLabel(stored), encodingOf(stored))), digest(password.reveal()))),
    outdated: () => true,
  }
}

function encodingOf(stored: string): BufferEncoding {
  const label = stored.slice(0, stored.indexOf('}')).toUpperCase()
  return label.endsWith('.B64') ? 'base64' : label.endsWith('.HEX') ? 'hex' : 'utf8'
}
