import type { Logger, PeerFacts } from '../api/index.js'
import { hostOf } from './auth/login-log.js'

/** What a session logs with. */
export type SessionLogger = Logger

const VALUE_OCTETS = 80

/** The log lines of one session, with `user=` and `host=` as scanners of logs expect them. Exactly one of them tells its end. */
export class SessionLog {
  readonly #logger: Logger
  readonly #host: string
  readonly #session: string | undefined
  user: string | undefined
  #ended = false

  constructor(logger: Logger, peer: PeerFacts, user?: string) {
    this.#logger = logger
    this.#host = hostOf(peer)
    this.#session = peer.session
    this.user = user
  }
  info(event: string, facts: Readonly<Record<string, unknown>> = {}): void {
    this.#logger.info(event, this.#facts(facts))
  }
  debug(event: string, facts: Readonly<Record<string, unknown>> = {}): void {
    this.#logger.debug(event, this.#facts(facts))
  }
  warn(event: string, facts: Readonly<Record<string, unknown>> = {}): void {
    this.#logger.warn(event, this.#facts(facts))
  }
  error(event: string, facts: Readonly<Record<string, unknown>> = {}): void {
    this.#logger.error(event, this.#facts(facts))
  }
  /** Noise before the login, and what somebody does who is nobody, names no user. */
  early(event: string): void {
    this.#logger.info(event, { host: this.#host, ...this.#named() })
  }
  /** `Logout`, `Autologout`, `Command stream end of file, while reading line`; only the first counts. */
  end(event: string, facts: Readonly<Record<string, unknown>> = {}): void {
    if (this.#ended) return
    this.#ended = true
    this.info(event, facts)
  }
  #facts(facts: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    return { user: (this.user ?? '???').slice(0, VALUE_OCTETS), host: this.#host, ...this.#named(), ...facts }
  }
  #named(): { readonly session?: string } {
    return this.#session === undefined ? {} : { session: this.#session }
  }
}
