import type { Clock } from '../api/index.js'

/**
 * One timer for many short waits. Moving the due time costs an assignment: the timer that runs looks, when it fires, whether it
 * is too early, and starts again for the rest.
 */
export class Deadline implements Disposable {
  readonly #clock: Clock
  #due = Infinity
  #timer: Disposable | undefined
  /** When the running timer fires. */
  #fires = Infinity
  #expire: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls `expire` once at `at` (of the clock) unless cleared or set again before. */
  set(at: number, expire: () => void): void {
    this.#due = at
    this.#expire = expire
    if (at >= this.#fires) return
    this.#timer?.[Symbol.dispose]()
    this.#start()
  }
  clear(): void {
    this.#due = Infinity
    this.#expire = undefined
  }
  [Symbol.dispose](): void {
    this.clear()
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    this.#fires = Infinity
  }

  #start(): void {
    this.#fires = this.#due
    this.#timer = this.#clock.after(Math.max(0, this.#due - this.#clock.steady()), () => {
      this.#timer = undefined
      this.#fires = Infinity
      const expire = this.#expire
      if (expire === undefined) return
      if (this.#clock.steady() < this.#due) this.#start()
      else {
        this.clear()
        expire()
      }
    })
  }
}
