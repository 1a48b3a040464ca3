import { OTP_CHAIN, type SaslContext, type SaslMechanism, type SaslResult } from 'mailwright/api'
import { utf8 } from '../../shared/names.js'

const MAX_ANSWER_OCTETS = 512

/**
 * OTP (RFC 2444): passwords that are used once. The answer in hexadecimal (`hex:`); answers in words and new chains (`init-hex`) are
 * refused, so a chain is made by the operator.
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
    const answer = utf8(await x.ask(Buffer.from(`otp-${algorithm} ${sequence - 1} ${seed} ext`)))
    const [, digits] = /^hex:([0-9a-f \t]{16,64})$/i.exec(answer ?? '') ?? []
    const response = Buffer.from((digits ?? '').replaceAll(/\s/g, ''), 'hex')
    if (response.length !== 8) return { kind: 'malformed' }
    if (chain === undefined) return { kind: 'unknown-user' }
    const verdict = await x.verify({ kind: 'one-time', user: chain.user, response })
    if (verdict.kind !== 'accepted') return verdict
    return { kind: 'proved', authcid: verdict.user, authzid: authzid === user ? '' : authzid, alerts: verdict.alerts }
  },
}

/** Letters and digits that depend on the name alone. */
function seedOf(user: string): string {
  let sum = 7
  for (let i = 0; i < user.length; i++) sum = (sum * 31 + user.charCodeAt(i)) % 100_000
  return `mw${String(sum).padStart(5, '0')}`
}
