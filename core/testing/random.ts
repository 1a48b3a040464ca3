/** Numbers that a seed repeats (mulberry32); for tests only. */
export class SeededRandom {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0
  }
  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }
  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end)
  }
  chance(of: number): boolean {
    return this.next() < of
  }
  pick<T>(from: readonly T[]): T {
    const found = from[this.below(from.length)]
    if (found === undefined) throw new Error('nothing to pick from')
    return found
  }
  octets(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.below(256))
  }
}

/** The seed of this run: `MAILWRIGHT_SEED`, or a new one that failures print. */
export const runSeed: number = Number(process.env['MAILWRIGHT_SEED'] ?? Math.floor(Math.random() * 0x7fffffff))
/** Whether all points are tried instead of a sample (`MAILWRIGHT_LONG=1`). */
export const isLongRun: boolean = process.env['MAILWRIGHT_LONG'] === '1'
