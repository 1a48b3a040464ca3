import { secret, type SaslContext, type SaslMechanism, type SaslResult } from 'mailwright/api'
import { splitAdministrator, utf8 } from '../../shared/names.js'

/** draft-murchison-sasl-login §2: the two prompts, each with its NUL as clients of old expect them. */
const USER_PROMPT = new TextEncoder().encode('User Name\0')
const PASSWORD_PROMPT = new TextEncoder().encode('Password\0')
const MAX_ANSWER_OCTETS = 1024

/** LOGIN: name and password on two prompts. `user*admin` asks for the mail of the first with the password of the second. */
export const loginMechanism: SaslMechanism = {
  async authenticate(x: SaslContext): Promise<SaslResult> {
    const given = x.initial !== undefined && x.initial.length > 0 ? x.initial : await x.ask(USER_PROMPT)
    const password = withoutEnd(await x.ask(PASSWORD_PROMPT))
    const name = nameOf(withoutEnd(given))
    if (name === undefined || password.length === 0 || password.length > MAX_ANSWER_OCTETS || password.includes(0)) return { kind: 'malformed' }
    const { authcid, authzid } = splitAdministrator(name)
    const verdict = await x.verify({ kind: 'password', user: authcid, password: secret(password) })
    if (verdict.kind !== 'accepted') return verdict
    return { kind: 'proved', authcid: verdict.user, authzid, alerts: verdict.alerts }
  },
}

/** Some clients send the NUL of a C string along. */
function withoutEnd(octets: Uint8Array): Uint8Array {
  return octets.at(-1) === 0 ? octets.subarray(0, -1) : octets
}

function nameOf(octets: Uint8Array): string | undefined {
  if (octets.length === 0 || octets.length > MAX_ANSWER_OCTETS || octets.includes(0)) return undefined
  return utf8(octets)
}
