import type { Clock } from '../../core/api/index.js'

/** Time passes when it is told to. */
export class HeldClock implements Clock {
  readonly #waiting = new Set<() => void>()
  readonly #ms: number
  constructor(ms = Date.now()) {
    this.#ms = ms
  }
  now(): number {
    return this.#ms
  }
  steady(): number {
    return this.now()
  }
  after(_ms: number, run: () => void): Disposable {
    this.#waiting.add(run)
    return { [Symbol.dispose]: () => void this.#waiting.delete(run) }
  }
  pass(): void {
    for (const run of this.#waiting) run()
    this.#waiting.clear()
  }
}
