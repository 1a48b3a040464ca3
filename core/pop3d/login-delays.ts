import type { Clock, Logger, MaildropLock, Pop3Settings } from '../api/index.js'
import { Refused } from './failure.js'

/** Accounts whose last login this process remembers; beyond that the oldest is forgotten. */
const REMEMBERED = 100_000

/**
 * Times of the last logins, where a site wants the announced delay kept (RFC 2449 §6.5). They are noted with the lock of the maildrop, for
 * other processes and for later ones, and here, for maildrops whose lock keeps nothing.
 */
export class LoginDelays {
  readonly #clock: Clock
  readonly #logger: Pick<Logger, 'warn'>
  readonly #delayMs: number
  readonly #last = new Map<string, number>()

  constructor(clock: Clock, logger: Pick<Logger, 'warn'>, settings: Pop3Settings) {
    this.#clock = clock
    this.#logger = logger
    this.#delayMs = settings.enforceLoginDelay ? settings.loginDelayMs : 0
  }

  /**
   * @param notedMs what the lock says of the last login
   * @throws Refused when the user comes again too soon.
   */
  check(user: string, notedMs: number | undefined): void {
    if (this.#delayMs <= 0) return
    const now = this.#clock.now()
    for (const last of [this.#last.get(user), notedMs]) {
      // A time that is to come is that of a clock that was wrong.
      if (last !== undefined && last <= now && now - last < this.#delayMs) throw new Refused('Minimum time between logins has not passed', 'LOGIN-DELAY')
    }
  }
  async note(user: string, lock: MaildropLock): Promise<void> {
    if (this.#delayMs <= 0) return
    const now = this.#clock.now()
    this.#last.delete(user)
    this.#last.set(user, now)
    for (const oldest of this.#last.keys()) {
      if (this.#last.size <= REMEMBERED) break
      this.#last.delete(oldest)
    }
    // Nobody is kept from the mail because a time cannot be written down.
    await lock.note(now).catch((error: unknown) => this.#logger.warn('login time was not noted', { user, error }))
  }
}
