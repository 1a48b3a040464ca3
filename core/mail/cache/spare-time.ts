import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../api/index.js'

/** Work between two turns of the loop: whoever comes meanwhile is not kept waiting for longer. */
const SLICE_MS = 0.5
/** Others had something to do when a turn took longer. */
const TURN_MS = 0.1
/** After a sign of others. */
const PAUSE_MS = 1

/** Work that goes on a little at a time. */
export interface Work {
  /** Octets of memory that it holds. */
  readonly size: number
  /** Until then, as `performance.now`; whether there is more to be done. */
  work(until: number): Promise<boolean>
}

/**
 * Does work when nobody else has any, one after the other: a slice, a turn of the loop, and the next one where nothing happened in it; a pause of a millisecond otherwise. What has
 * waited for too long, or holds too much memory together with what came later, is given up, the oldest first.
 */
export class SpareTime implements AsyncDisposable {
  readonly #clock: Clock
  readonly #limits: { readonly octets: number; readonly ms: number }
  readonly #waiting: { readonly work: Work; readonly since: number }[] = []
  #octets = 0
  #busyAt = -Infinity
  #holds = 0
  #running: Promise<void> | undefined
  #ended = false
  #endPause: (() => void) | undefined
  constructor(clock: Clock, limits: { readonly octets: number; readonly ms: number }) {
    this.#clock = clock
    this.#limits = limits
  }
  add(work: Work): void {
    if (this.#ended) return
    this.#waiting.push({ work, since: this.#clock.steady() })
    this.#octets += work.size
    while (this.#octets > this.#limits.octets && this.#waiting.length > 1) this.#giveUp()
    this.#running ??= this.#run()
  }
  /** Somebody has something to do now, and more soon. */
  busy(): void {
    this.#busyAt = this.#clock.steady()
  }
  /** Nothing is done until disposed. */
  hold(): Disposable {
    this.#holds++
    return {
      [Symbol.dispose]: () => {
        this.#holds--
        this.busy()
      },
    }
  }
  #giveUp(): void {
    this.#octets -= this.#waiting.shift()?.work.size ?? 0
  }
  async #run(): Promise<void> {
    await this.#pause()
    for (let first = this.#waiting[0]; first !== undefined && !this.#ended; first = this.#waiting[0]) {
      const now = this.#clock.steady()
      if (now - first.since > this.#limits.ms) this.#giveUp()
      else if (this.#holds > 0 || now - this.#busyAt < PAUSE_MS) await this.#pause()
      else {
        const isMore = await first.work.work(performance.now() + SLICE_MS)
        if (!isMore && this.#waiting[0] === first) this.#giveUp()
        const ended = performance.now()
        await setImmediate()
        if (performance.now() - ended > TURN_MS) await this.#pause()
      }
    }
    this.#running = undefined
  }
  #pause(): Promise<void> {
    if (this.#ended) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = this.#clock.after(PAUSE_MS, () => this.#endPause?.())
      this.#endPause = () => {
        this.#endPause = undefined
        timer[Symbol.dispose]()
        resolve()
      }
    })
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true
    this.#endPause?.()
    await this.#running
    this.#waiting.length = 0
  }
}
