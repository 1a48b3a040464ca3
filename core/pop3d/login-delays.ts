import type { Clock, Pop3Settings } from '../api/index.js'
import { Refused } from './failure.js'

/** Accounts whose last login is remembered; beyond that the oldest is forgotten. */
const REMEMBERED = 100_000

/** Times of the last logins, where a site wants the announced delay kept (RFC 2449 §6.5). */
export class LoginDelays {
  readonly #clock: Clock
  readonly #delayMs: number
  readonly #last = new Map<string, number>()

  constructor(clock: Clock, settings: Pop3Settings) {
    this.#clock = clock
    this.#delayMs = settings.enforceLoginDelay ? settings.loginDelayMs : 0
  }

  /** @throws Refused when the user comes again too soon. */
  check(user: string): void {
    const last = this.#delayMs > 0 ? this.#last.get(user) : undefined
    if (last !== undefined && this.#clock.now() - last < this.#delayMs) throw new Refused('Minimum time between logins has not passed', 'LOGIN-DELAY')
  }
  note(user: string): void {
    if (this.#delayMs <= 0) return
    this.#last.delete(user)
    this.#last.set(user, this.#clock.now())
    if (this.#last.size <= REMEMBERED) return
    for (const oldest of this.#last.keys()) {
      this.#last.delete(oldest)
      break
    }
  }
}
