import { createHash } from 'node:crypto'
import { PASSWORD, type SaslContext, type SaslMechanism, type SaslResult } from 'mailwright/api'
import { equalOctets } from '../../shared/equal.js'
import { splitAdministrator, utf8 } from '../../shared/names.js'

/** The original cut both here; nobody's password is longer than it can check. */
const MAX_OCTETS = 128

/**
 * The check of APOP (RFC 1939 §7) as a hidden mechanism, so that POP3 asks for it as for any other login:
 * `sasl('APOP', "<timestamp> NUL name NUL digest")`. The timestamp is the one of the greeting, with its brackets, and the daemon
 * answers for it having been used once.
 */
export const apop: SaslMechanism = {
  async authenticate(x: SaslContext): Promise<SaslResult> {
    const [timestamp = '', name = '', given = '', ...more] = (x.initial === undefined ? undefined : utf8(x.initial))?.split('\0') ?? []
    if (more.length > 0 || !/^<[^<>\s]+@[^<>\s]+>$/.test(timestamp) || name === '' || !/^[0-9a-fA-F]{32}$/.test(given)) return { kind: 'malformed' }
    const { authcid, authzid } = splitAdministrator(name)
    const known = await x.lookup(authcid, PASSWORD)
    const digest = createHash('md5')
      .update(Buffer.from(timestamp).subarray(0, MAX_OCTETS))
      .update((known?.value.reveal() ?? new Uint8Array(16)).subarray(0, MAX_OCTETS))
      .digest()
    const isRight = equalOctets(digest, Buffer.from(given, 'hex'))
    if (known === undefined) return { kind: 'unknown-user' }
    return isRight ? { kind: 'proved', authcid: known.user, authzid, alerts: [] } : { kind: 'wrong-password' }
  },
}
