import { setImmediate } from 'node:timers/promises'

/** How long it runs before the other sessions of the process get a turn. */
const SLICE_MS = 8

/** Lets long work of one session, such as a search or a threading, give way: `due` between two pieces, and when it says so, `turn`, which throws when the signal is given. */
export class Pace {
  #since = performance.now()
  readonly #signal: AbortSignal
  readonly #sliceMs: number
  /** `sliceMs`: shorter ones are for work whose pieces take some milliseconds themselves. */
  constructor(signal: AbortSignal, sliceMs = SLICE_MS) {
    this.#signal = signal
    this.#sliceMs = sliceMs
  }
  due(): boolean {
    return performance.now() - this.#since > this.#sliceMs
  }
  async turn(): Promise<void> {
    await setImmediate()
    this.#signal.throwIfAborted()
    this.#since = performance.now()
  }
}
