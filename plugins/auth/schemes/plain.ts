import { createHash } from 'node:crypto'
import type { PasswordScheme } from 'mailwright/api'
import { equalOctets, withoutLabel } from '../shared/equal.js'

/** A password that is not hashed at all, for tests and demonstrations; without `allow` nobody has it. */
export function plainScheme(allow: boolean): PasswordScheme {
  const digest = (octets: Uint8Array): Uint8Array => createHash('sha256').update(octets).digest()
  return {
    prefixes: allow ? ['{PLAIN}', '{CLEARTEXT}'] : [],
    // Digests have one length, so that the comparison does not tell the password's.
    check: (stored, password) => Promise.resolve(equalOctets(digest(Buffer.from(withoutLabel(stored))), digest(password.reveal()))),
    outdated: () => true,
  }
}
