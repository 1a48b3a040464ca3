import type { Clock } from '../api/kernel.js'

/** Turns of the loop without news after which nobody is taken to be working. */
const IDLE_TURNS = 3

/**
 * Time that costs none: when the loop is idle, the clock jumps to the next call that is due. Timeouts, lock waits and
 * delayed writes happen in their order, and a test never sleeps.
 */
export class KitClock implements Clock, Disposable {
  #now: number
  #pending: { readonly at: number; readonly order: number; readonly run: () => void }[] = []
  #order = 0
  #turning = false
  #stopped = false

  constructor(from = 1_700_000_000_000) {
    this.#now = from
  }
  now(): number {
    return this.#now
  }
  steady(): number {
    return this.now()
  }
  after(ms: number, run: () => void): Disposable {
    const entry = { at: this.#now + Math.max(0, ms), order: this.#order++, run }
    this.#pending.push(entry)
    this.#turn()
    return { [Symbol.dispose]: () => void (this.#pending = this.#pending.filter((p) => p !== entry)) }
  }
  /** Time passes, and nothing happens in it. */
  pass(ms: number): void {
    this.#now += ms
  }
  /** Nothing that is pending will be called. */
  [Symbol.dispose](): void {
    this.#stopped = true
    this.#pending = []
  }
  /** Calls that wait for their time. */
  get pending(): number {
    return this.#pending.length
  }

  #turn(): void {
    if (this.#turning || this.#stopped) return
    this.#turning = true
    let left = IDLE_TURNS
    const step = (): void => {
      if (this.#stopped || this.#pending.length === 0) {
        this.#turning = false
        return
      }
      if (left-- > 0) return void setImmediate(step)
      left = IDLE_TURNS
      const next = this.#pending.reduce((a, b) => (b.at < a.at || (b.at === a.at && b.order < a.order) ? b : a))
      this.#pending = this.#pending.filter((p) => p !== next)
      this.#now = Math.max(this.#now, next.at)
      next.run()
      setImmediate(step)
    }
    setImmediate(step)
  }
}
