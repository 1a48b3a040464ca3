import { secret, type SaslContext, type SaslMechanism, type SaslResult } from 'mailwright/api'
import { utf8 } from '../../shared/names.js'

/** RFC 4616 §2: authzid and authcid are up to 255 characters each, the password too; more is no message of this mechanism. */
const MAX_MESSAGE_OCTETS = 4 * 3 * 255 + 2

/** PLAIN (RFC 4616): one message, `authzid NUL authcid NUL password`. */
export const plainMechanism: SaslMechanism = {
  async authenticate(x: SaslContext): Promise<SaslResult> {
    const message = parsePlain(x.initial ?? (await x.ask(new Uint8Array(0))))
    if (message === undefined) return { kind: 'malformed' }
    const verdict = await x.verify({ kind: 'password', user: message.authcid, password: secret(message.password) })
    if (verdict.kind !== 'accepted') return verdict
    // An authzid that repeats the authcid as typed asks for nothing special, even when the backend spells the name otherwise.
    const authzid = message.authzid === message.authcid ? '' : message.authzid
    return { kind: 'proved', authcid: verdict.user, authzid, alerts: verdict.alerts }
  },
}

/** What a PLAIN message says; the password is a view of it. Undefined when it is none. */
function parsePlain(message: Uint8Array): { readonly authzid: string; readonly authcid: string; readonly password: Uint8Array } | undefined {
  if (message.length > MAX_MESSAGE_OCTETS) return undefined
  const first = message.indexOf(0)
  const second = message.indexOf(0, first + 1)
  // Exactly two NULs: a third would be inside the password, which RFC 4616 §2 forbids.
  if (first < 0 || second < 0 || message.includes(0, second + 1)) return undefined
  const authzid = utf8(message.subarray(0, first))
  const authcid = utf8(message.subarray(first + 1, second))
  const password = message.subarray(second + 1)
  if (authzid === undefined || authcid === undefined || authcid === '' || password.length === 0) return undefined
  return { authzid, authcid, password }
}
