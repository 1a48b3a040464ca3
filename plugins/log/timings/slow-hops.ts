import type { Clock, Hop, HopOutcome, Logger, Observer } from 'mailwright/api'

/** What counts as slow. */
export interface SlowSettings {
  readonly slowerThan: number
  readonly hops: readonly Hop[]
  /** In upper case. */
  readonly except: readonly string[]
}
interface Running {
  readonly name: string
  readonly since: number
}

/** Times hops by the clock of the process. `Slow run name=FETCH ms=1830 messages=120000 octets=5120 outcome=ok session=...`. */
export class SlowHops implements Observer {
  readonly #settings: SlowSettings
  readonly #hops: ReadonlySet<Hop>
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #running = new Map<number, Running>()
  #last = 0

  constructor(settings: SlowSettings, logger: Logger, clock: Clock) {
    this.#settings = settings
    this.#hops = new Set(settings.hops)
    this.#logger = logger
    this.#clock = clock
  }
  wants(): boolean {
    return this.#hops.size > 0
  }
  begin(_session: string, hop: Hop, name: string): number {
    if (!this.#hops.has(hop) || this.#settings.except.includes(name.toUpperCase())) return 0
    this.#running.set(++this.#last, { name, since: this.#clock.steady() })
    return this.#last
  }
  end(session: string, hop: Hop, mark: number, outcome: HopOutcome, octets: number, messages: number): void {
    const running = this.#running.get(mark)
    if (running === undefined) return
    this.#running.delete(mark)
    const ms = Math.round(this.#clock.steady() - running.since)
    if (ms >= this.#settings.slowerThan) this.#logger.warn(`Slow ${hop}`, { name: running.name, ms, messages, octets, outcome, session })
  }
}
