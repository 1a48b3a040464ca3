import { OTP_CHAIN, type SaslContext, type SaslMechanism, type SaslResult } from 'mailwright/api'
import { utf8 } from '../../shared/names.js'
import { parseOtpResponse } from './responses.js'

const MAX_ANSWER_OCTETS = 512

/**
 * OTP (RFC 2444): passwords that are used once, answered in hexadecimal or in six words; with `init-` a new chain follows (RFC 2243).
 * A right password is used up also where the new chain is refused: it has been seen on the way.
 */
export const otp: SaslMechanism = {
  async authenticate(x: SaslContext): Promise<SaslResult> {
    // RFC 2444: authzid NUL authcid, both at most 255 octets.
    const octets = x.initial ?? (await x.ask(new Uint8Array(0)))
    const [authzid, user, ...more] = (octets.length > MAX_ANSWER_OCTETS ? undefined : utf8(octets))?.split('\0') ?? []
    if (authzid === undefined || user === undefined || user === '' || more.length > 0) return { kind: 'malformed' }
    const chain = await x.lookup(user, OTP_CHAIN)
    // Nobody without a chain is told so: the challenge that they get is one that cannot be answered.
    const { algorithm, sequence, seed } = chain?.value ?? { algorithm: 'md5', sequence: 500, seed: seedOf(user) }
    const answer = await x.ask(Buffer.from(`otp-${algorithm} ${sequence - 1} ${seed} ext`))
    const said = parseOtpResponse((answer.length > MAX_ANSWER_OCTETS ? undefined : utf8(answer)) ?? '', { seed })
    if (said === undefined) return { kind: 'malformed' }
    if (chain === undefined) return { kind: 'unknown-user' }
    const { password, next } = said
    const verdict = await x.verify({ kind: 'one-time', user: chain.user, response: password, ...(next === undefined || next === 'unfit' ? {} : { next }) })
    if (verdict.kind !== 'accepted') return verdict
    if (next === 'unfit') return { kind: 'malformed' }
    return { kind: 'proved', authcid: verdict.user, authzid: authzid === user ? '' : authzid, alerts: verdict.alerts }
  },
}

/** Letters and digits that depend on the name alone. */
function seedOf(user: string): string {
  let sum = 7
  for (let i = 0; i < user.length; i++) sum = (sum * 31 + user.charCodeAt(i)) % 100_000
  return `mw${String(sum).padStart(5, '0')}`
}
