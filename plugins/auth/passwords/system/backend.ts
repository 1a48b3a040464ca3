import type { Claim, Clock, Logger, PasswordBackend, PeerFacts, Verdict } from 'mailwright/api'
import type { Hashing } from '../../shared/hashing.js'
import type { NameService } from '../../shared/system-accounts.js'
import { withinTime } from '../../shared/time-limit.js'
import { expiryOf, localDay } from './expiry.js'

/** What its entry in the configuration says. */
export interface SystemBackendSettings {
  readonly timeoutMs: number
  readonly fallthrough: boolean
}
/** What stands in the field of the password when the password is somewhere else. */
const ELSEWHERE: ReadonlySet<string> = new Set(['x', '*NP*', '##'])

/** Accounts of the operating system, by the hash of their shadow entry and its days. Needs the rights to read the shadow file. */
export class SystemBackend implements PasswordBackend {
  readonly fallthrough: boolean
  readonly #names: NameService
  readonly #hashing: Hashing
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #settings: SystemBackendSettings
  constructor(parts: { readonly names: NameService; readonly hashing: Hashing; readonly clock: Clock; readonly logger: Logger }, settings: SystemBackendSettings) {
    this.#names = parts.names
    this.#hashing = parts.hashing
    this.#clock = parts.clock
    this.#logger = parts.logger
    this.#settings = settings
    this.fallthrough = settings.fallthrough
  }

  async verify(claim: Claim, _peer: PeerFacts, signal: AbortSignal): Promise<Verdict> {
    if (claim.kind !== 'password') return { kind: 'unknown-user' }
    return await withinTime('system accounts', this.#settings.timeoutMs, signal, (both) => this.#verify(claim, both))
  }

  async #verify({ user, password }: Extract<Claim, { kind: 'password' }>, signal: AbortSignal): Promise<Verdict> {
    const account = await this.#names.account(user)
    if (account === undefined) return { kind: 'unknown-user' }
    const isElsewhere = ELSEWHERE.has(account.hash)
    const shadow = isElsewhere ? await this.#names.shadow(account.name) : undefined
    // An account without its shadow entry means that this process may not see it, which is nobody's wrong password.
    if (isElsewhere && shadow === undefined) throw new Error(`the shadow entry of ${JSON.stringify(account.name)} cannot be read; the server lacks the rights`)
    const hash = shadow?.hash ?? account.hash
    // Two octets are the salt of the oldest form: less is no hash, and an empty one never matches.
    if (hash.length < 2 || /^[!*]/.test(hash)) return { kind: 'disabled' }
    const compared = await this.#hashing.compare([hash], password, account.name, signal)
    if (compared.kind === 'unusable') {
      this.#logger.warn('stored password cannot be checked', { user: account.name, why: compared.why })
      return { kind: 'disabled' }
    }
    if (compared.kind === 'wrong') return { kind: 'wrong-password' }
    const { refusal, alerts } = shadow === undefined ? { refusal: undefined, alerts: [] } : expiryOf(shadow, localDay(this.#clock.now()))
    return refusal ?? { kind: 'accepted', user: account.name, alerts }
  }
}
