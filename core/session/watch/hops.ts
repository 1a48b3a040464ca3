import type { ClientFacts, Entry, Hop, HopOutcome, Logger, ObservedSession, Observer, SessionHops } from '../../api/index.js'
import { Containing } from './containing.js'

/** All observers that want a session as one; undefined: none does. `close` when it is over. */
export function hopsOf(entries: readonly Entry<Observer, unknown>[], session: ObservedSession, logger: Logger): (SessionHops & { close(): void }) | undefined {
  if (entries.length === 0) return undefined
  const hearers = new Containing('observer', session.id, entries, logger)
  hearers.keep((observer) => observer.wants(session))
  return hearers.entries.length === 0 ? undefined : new MergedHops(hearers, session.id)
}

/** Each observer gets its own marks back: what the session carries is the number of a row of them. */
class MergedHops implements SessionHops {
  readonly #hearers: Containing<Observer>
  readonly #session: string
  readonly #open = new Map<number, ReadonlyMap<Observer, number>>()
  #last = 0

  constructor(hearers: Containing<Observer>, session: string) {
    this.#hearers = hearers
    this.#session = session
  }
  begin(hop: Hop, name: string): number {
    const marks = new Map<Observer, number>()
    this.#hearers.each((observer) => void marks.set(observer, observer.begin?.(this.#session, hop, name) ?? 0))
    this.#open.set(++this.#last, marks)
    return this.#last
  }
  end(hop: Hop, mark: number, outcome: HopOutcome, octets: number, messages = 0): void {
    const marks = this.#open.get(mark)
    if (!this.#open.delete(mark)) return
    this.#hearers.each((observer) => {
      const own = marks?.get(observer)
      if (own !== undefined) observer.end?.(this.#session, hop, own, outcome, octets, messages)
    })
  }
  client(facts: ClientFacts): void {
    this.#hearers.each((observer) => observer.client?.(this.#session, facts))
  }
  close(): void {
    this.#open.clear()
    this.#hearers.each((observer) => observer.close?.(this.#session))
  }
}

/** Measures what waits: `ok` when it resolves, `error` when it rejects. */
export async function measured<T>(hops: SessionHops | undefined, hop: Hop, name: string, run: () => Promise<T>): Promise<T> {
  if (hops === undefined) return run()
  const mark = hops.begin(hop, name)
  let outcome: HopOutcome = 'error'
  try {
    const value = await run()
    outcome = 'ok'
    return value
  } finally {
    hops.end(hop, mark, outcome, 0)
  }
}
