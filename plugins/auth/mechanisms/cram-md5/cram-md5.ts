import { createHmac } from 'node:crypto'
import { PASSWORD, type SaslContext, type SaslMechanism, type SaslResult } from 'mailwright/api'
import { equalOctets } from '../../shared/equal.js'
import { splitAdministrator, utf8 } from '../../shared/names.js'

const MAX_ANSWER_OCTETS = 512

/**
 * CRAM-MD5 (RFC 2195): `user SP digest`, the digest being the keyed MD5 of a challenge that is never used again. The name may hold
 * spaces and `user*admin`.
 */
export class CramMd5 implements SaslMechanism {
  readonly #random: (octets: number) => Uint8Array
  readonly #now: () => number
  constructor(random: (octets: number) => Uint8Array, now: () => number) {
    this.#random = random
    this.#now = now
  }

  async authenticate(x: SaslContext): Promise<SaslResult> {
    // RFC 2195 §2: the client waits for the challenge; what it says before cannot answer it.
    if (x.initial !== undefined && x.initial.length > 0) return { kind: 'malformed' }
    const challenge = Buffer.from(`<${Buffer.from(this.#random(16)).toString('hex')}.${this.#now()}@${x.hostName}>`)
    const answer = parseAnswer(await x.ask(challenge))
    if (answer === undefined) return { kind: 'malformed' }
    const { authcid, authzid } = splitAdministrator(answer.user)
    const known = await x.lookup(authcid, PASSWORD)
    // Computed for unknown users too: it takes no longer to find out that one is known.
    const digest = createHmac('md5', known?.value.reveal() ?? this.#random(16)).update(challenge).digest()
    const isRight = equalOctets(digest, answer.digest)
    if (known === undefined) return { kind: 'unknown-user' }
    return isRight ? { kind: 'proved', authcid: known.user, authzid, alerts: [] } : { kind: 'wrong-password' }
  }
}

/** RFC 2195 §2: the name, a space, and 32 lower-case hexadecimal digits; the last space counts. */
function parseAnswer(octets: Uint8Array): { readonly user: string; readonly digest: Uint8Array } | undefined {
  if (octets.length > MAX_ANSWER_OCTETS) return undefined
  const [, user, digest] = /^([^\0]+) ([0-9a-f]{32})$/s.exec(utf8(octets) ?? '') ?? []
  return user === undefined || digest === undefined ? undefined : { user, digest: Buffer.from(digest, 'hex') }
}
