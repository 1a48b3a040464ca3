import { setImmediate } from 'node:timers/promises'

/** How long a search runs before the other sessions of the process get a turn. */
const SLICE_MS = 8

/** Lets long work give way: `due` between two pieces, and when it says so, `turn`. */
export class Pace {
  #since = performance.now()
  readonly #signal: AbortSignal
  constructor(signal: AbortSignal) {
    this.#signal = signal
  }
  due(): boolean {
    return performance.now() - this.#since > SLICE_MS
  }
  async turn(): Promise<void> {
    await setImmediate()
    this.#signal.throwIfAborted()
    this.#since = performance.now()
  }
}
