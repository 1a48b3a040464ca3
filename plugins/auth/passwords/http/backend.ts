import { MailError, type Claim, type PasswordBackend, type PeerFacts, type Secret, type Verdict } from 'mailwright/api'
import { z } from 'zod'
import { CallLimit, withinTime } from '../../shared/time-limit.js'

/** What its entry in the configuration says. */
export interface HttpSettings {
  readonly url: string
  /** Value of the field `Authorization`. */
  readonly authorization: Secret | undefined
  readonly claims: readonly ('password' | 'token')[]
  readonly timeoutMs: number
  readonly parallel: number
  readonly fallthrough: boolean
}
const MAX_ANSWER_OCTETS = 64 * 1024
const REFUSALS = ['unknown-user', 'wrong-password', 'expired', 'must-change', 'disabled', 'not-permitted'] as const
const answerSchema = z.union([
  z.object({ result: z.literal('accepted'), user: z.string().min(1).optional(), alerts: z.array(z.string()).default([]) }),
  z.object({ result: z.enum(REFUSALS) }),
])

/**
 * Asks a web service: `POST` of `{ claim, user, password | token, service, address, localAddress, tls }` as JSON, answered with 200 and
 * `{ result, user?, alerts? }`. Any other status, or another answer, is an outage. Redirections are not followed: they would carry the
 * password elsewhere.
 */
export class HttpBackend implements PasswordBackend {
  readonly fallthrough: boolean
  readonly #settings: HttpSettings
  readonly #turns: CallLimit
  constructor(settings: HttpSettings) {
    this.#settings = settings
    this.fallthrough = settings.fallthrough
    this.#turns = new CallLimit(settings.parallel)
  }

  serves(): Promise<{ readonly verifies: readonly Claim['kind'][]; readonly holds: readonly [] }> {
    return Promise.resolve({ verifies: this.#settings.claims, holds: [] })
  }

  async verify(claim: Claim, peer: PeerFacts, signal: AbortSignal): Promise<Verdict> {
    if ((claim.kind !== 'password' && claim.kind !== 'token') || !this.#settings.claims.includes(claim.kind)) return { kind: 'unknown-user' }
    const said = text(claim.kind === 'password' ? claim.password : claim.token)
    // JSON has no octets: what is no text is nobody's password there.
    if (said === undefined) return { kind: 'wrong-password' }
    const question = { claim: claim.kind, user: claim.user, [claim.kind]: said, service: peer.service, address: peer.address, localAddress: peer.localAddress, tls: peer.tls !== undefined }
    const answer = await withinTime(`web service ${this.#settings.url}`, this.#settings.timeoutMs, signal, (both) => this.#turns.run(both, () => this.#ask(question, both)))
    if (answer.result !== 'accepted') return { kind: answer.result }
    const user = answer.user ?? claim.user
    if (user === '') throw new MailError('unavailable', `web service ${this.#settings.url} accepts a token and does not say whose`)
    return { kind: 'accepted', user, alerts: answer.alerts }
  }

  async #ask(question: object, signal: AbortSignal): Promise<z.output<typeof answerSchema>> {
    const { url, authorization } = this.#settings
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'error',
      signal,
      headers: { 'content-type': 'application/json', accept: 'application/json', ...(authorization === undefined ? {} : { authorization: text(authorization) ?? '' }) },
      body: JSON.stringify(question),
    })
    const body = await bounded(response)
    if (response.status !== 200) throw new Error(`answers with status ${response.status}`)
    const parsed = answerSchema.safeParse(parseJson(body))
    if (!parsed.success) throw new Error('answers with something that is no verdict')
    return parsed.data
  }
}

async function bounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let octets = 0
  for await (const chunk of response.body ?? []) {
    octets += chunk.length
    if (octets > MAX_ANSWER_OCTETS) throw new Error(`answers with more than ${MAX_ANSWER_OCTETS} octets`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
function text(secret: Secret): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(secret.reveal())
  } catch {
    return undefined
  }
}
