import type { NativeNames } from './native-names.js'

/** Answers in a row that take no turn of the event loop: a fraction of a millisecond in which it does nothing else. */
const IN_A_ROW = 64
/** A call that takes so long has waited for something. So many of them in a row say that on this machine they wait: for a program that looks at what is opened. */
const SLOW_MS = 5
const MOST_SLOW = 3

/**
 * Calls that are answered from memory where the system has it there: a tenth of what a way through the pool of threads costs. After so many at once one
 * goes that way after all, so that a walk over a large folder leaves others their turn.
 */
export class Prompt {
  readonly #now: () => number
  #native: NativeNames | undefined
  #left = IN_A_ROW
  #slow = 0
  /** `now`: a clock in milliseconds that never goes back. */
  constructor(native: NativeNames | undefined, now: () => number = () => performance.now()) {
    this.#native = native
    this.#now = now
  }
  async ask<T>(now: (native: NativeNames) => T | 'unknown', wait: () => Promise<T>): Promise<T> {
    if (this.#native !== undefined && this.#left > 0) {
      this.#left--
      const began = this.#now()
      const found = now(this.#native)
      this.#timed(this.#now() - began)
      if (found !== 'unknown') return found
    }
    try {
      return await wait()
    } finally {
      this.#left = IN_A_ROW
    }
  }
  #timed(ms: number): void {
    this.#slow = ms < SLOW_MS ? 0 : this.#slow + 1
    if (this.#slow >= MOST_SLOW) this.#native = undefined
  }
}
