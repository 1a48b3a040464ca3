import type { Entry, Logger } from '../../api/index.js'

/** Plugins that watch a session. One that throws is told of in the log, with its plugin, and watches no more. */
export class Containing<Made> {
  readonly #logger: Logger
  readonly #session: string
  readonly #what: string
  #entries: readonly Entry<Made, unknown>[]

  /** @param what for the log: `observer`. */
  constructor(what: string, session: string, entries: readonly Entry<Made, unknown>[], logger: Logger) {
    this.#what = what
    this.#session = session
    this.#entries = entries
    this.#logger = logger
  }

  /** Those that are left. */
  get entries(): readonly Entry<Made, unknown>[] {
    return this.#entries
  }
  each(tell: (made: Made) => void): void {
    for (const entry of this.#entries) this.ask(entry, tell)
  }
  /** Undefined: it threw. */
  ask<T>(entry: Entry<Made, unknown>, tell: (made: Made) => T): T | undefined {
    try {
      return tell(entry.made)
    } catch (error) {
      this.#entries = this.#entries.filter((e) => e !== entry)
      this.#logger.error(`${this.#what} failed`, { session: this.#session, plugin: entry.plugin, use: entry.name, error })
      return undefined
    }
  }
  /** Keeps those that say yes. */
  keep(wants: (made: Made) => boolean): void {
    this.#entries = this.#entries.filter((entry) => this.ask(entry, wants) === true)
  }
}
