import type { Claim, Clock, PasswordBackend, PeerFacts, Verdict } from 'mailwright/api'
import { CallLimit, withinTime } from '../../shared/time-limit.js'
import { userOf, type TokenRules } from './claims.js'

/** Decides whether a token is genuine: its claims, or why it is none. An outage is thrown. */
export type TokenCheck = (token: string, signal: AbortSignal) => Promise<Readonly<Record<string, unknown>> | 'expired' | 'invalid'>

/** What its entry in the configuration says. */
export interface Oauth2Settings extends TokenRules {
  readonly issuer: string | undefined
  readonly audience: readonly string[]
  readonly timeoutMs: number
  readonly parallel: number
  readonly fallthrough: boolean
}
const CLOCK_SKEW_MS = 30_000

/** Bearer tokens of an identity provider. */
export class Oauth2Backend implements PasswordBackend {
  readonly fallthrough: boolean
  readonly #check: TokenCheck
  readonly #settings: Oauth2Settings
  readonly #clock: Clock
  readonly #turns: CallLimit
  constructor(check: TokenCheck, settings: Oauth2Settings, clock: Clock) {
    this.#check = check
    this.#settings = settings
    this.#clock = clock
    this.#turns = new CallLimit(settings.parallel)
    this.fallthrough = settings.fallthrough
  }

  async verify(claim: Claim, _peer: PeerFacts, signal: AbortSignal): Promise<Verdict> {
    if (claim.kind !== 'token') return { kind: 'unknown-user' }
    const token = Buffer.from(claim.token.reveal()).toString('latin1')
    const claims = await withinTime('identity provider', this.#settings.timeoutMs, signal, (both) => this.#turns.run(both, () => this.#check(token, both)))
    if (claims === 'expired') return { kind: 'expired' }
    if (claims === 'invalid') return { kind: 'wrong-password' }
    const stale = this.#refused(claims)
    if (stale !== undefined) return stale
    const outcome = userOf(claims, this.#settings)
    if (outcome.kind !== 'accepted') return outcome
    return { kind: 'accepted', user: outcome.user, alerts: [] }
  }

  /** Times, issuer and audience: looked at for every kind of token, also where whoever checked it did so too. */
  #refused(claims: Readonly<Record<string, unknown>>): Verdict | undefined {
    const now = this.#clock.now()
    const { exp, nbf, iss, aud } = claims
    if (typeof exp === 'number' && exp * 1000 + CLOCK_SKEW_MS < now) return { kind: 'expired' }
    if (typeof nbf === 'number' && nbf * 1000 - CLOCK_SKEW_MS > now) return { kind: 'expired' }
    if (this.#settings.issuer !== undefined && iss !== this.#settings.issuer) return { kind: 'not-permitted' }
    const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
    if (this.#settings.audience.length > 0 && !audiences.some((a) => typeof a === 'string' && this.#settings.audience.includes(a))) return { kind: 'not-permitted' }
    return undefined
  }
}
