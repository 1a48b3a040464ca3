import type { Admission, Clock, Logger, LoginPolicy, PeerFacts } from 'mailwright/api'
import { inNetworks } from '../../shared/networks.js'

/** What its entry in the configuration says; 0: no limit. */
export interface LimitSettings {
  readonly perUser: number
  readonly perAddress: number
  readonly loginsPerHour: number
  readonly allow: readonly string[]
}
const HOUR_MS = 3_600_000
const MOST_USERS = 100_000

/** How many sessions a user, and an address, may have at a time, and how often a user may log in. */
export class SessionLimits implements LoginPolicy {
  readonly #settings: LimitSettings
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #isAllowed: (address: string) => boolean
  /** Sessions that are open or about to be, by their name. */
  readonly #open = new Map<string, { readonly user: string; readonly address: string }>()
  readonly #counts = new Map<string, number>()
  readonly #logins = new Map<string, number[]>()

  constructor(settings: LimitSettings, clock: Clock, logger: Logger) {
    this.#settings = settings
    this.#clock = clock
    this.#logger = logger
    this.#isAllowed = inNetworks(settings.allow)
  }

  decide({ user, peer }: Parameters<NonNullable<LoginPolicy['decide']>>[0]): Promise<Admission> {
    if (this.#isAllowed(peer.address)) return Promise.resolve({ kind: 'allow' })
    const { perUser, perAddress, loginsPerHour } = this.#settings
    const over =
      (perUser > 0 && this.#count(`user ${user.name}`) >= perUser && `the user has ${perUser} sessions`) ||
      (perAddress > 0 && this.#count(`address ${peer.address}`) >= perAddress && `the address has ${perAddress} sessions`) ||
      (loginsPerHour > 0 && this.#loginsOf(user.name).length >= loginsPerHour && `the user has logged in ${loginsPerHour} times within an hour`)
    if (over !== false) {
      this.#logger.warn('session limit', { user: user.name, host: `[${peer.address}]`, evidence: over })
      return Promise.resolve({ kind: 'refuse', refusal: { kind: 'throttled' } })
    }
    this.#enter(user.name, peer)
    return Promise.resolve({ kind: 'allow' })
  }

  ended(peer: PeerFacts): void {
    const { session } = peer
    const known = session === undefined ? undefined : this.#open.get(session)
    if (session === undefined || known === undefined) return
    this.#open.delete(session)
    this.#add(`user ${known.user}`, -1)
    this.#add(`address ${known.address}`, -1)
  }

  #enter(user: string, peer: PeerFacts): void {
    if (peer.session !== undefined) {
      // A second login on one connection takes the place of the first.
      this.ended(peer)
      this.#open.set(peer.session, { user, address: peer.address })
      this.#add(`user ${user}`, 1)
      this.#add(`address ${peer.address}`, 1)
    }
    if (this.#settings.loginsPerHour === 0) return
    const times = this.#loginsOf(user)
    this.#logins.delete(user)
    this.#logins.set(user, [...times, this.#clock.steady()])
    if (this.#logins.size > MOST_USERS) {
      for (const oldest of this.#logins.keys()) {
        this.#logins.delete(oldest)
        break
      }
    }
  }

  #loginsOf(user: string): readonly number[] {
    const since = this.#clock.steady() - HOUR_MS
    return (this.#logins.get(user) ?? []).filter((time) => time > since)
  }
  #count(key: string): number {
    return this.#counts.get(key) ?? 0
  }
  #add(key: string, by: number): void {
    const next = this.#count(key) + by
    if (next > 0) this.#counts.set(key, next)
    else this.#counts.delete(key)
  }
}
