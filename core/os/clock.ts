import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { Clock } from '../api/kernel.js'

/** The machine's time. A pending call keeps the process alive until it ran or was disposed of. */
export const systemClock: Clock = {
  now: () => Date.now(),
  steady: () => performance.timeOrigin + performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

/** Octets that are drawn at once, since drawing a few costs as much; and up to how many are few. */
const DRAWN = 4096
const FEW = 64
let drawn = Buffer.alloc(0)
let given = 0

/** Random octets fit for secrets; the caller's alone. */
export function systemRandom(octets: number): Uint8Array {
  if (octets > FEW) return randomBytes(octets)
  if (given + octets > drawn.length) {
    drawn = randomBytes(DRAWN)
    given = 0
  }
  const out = new Uint8Array(drawn.subarray(given, given + octets))
  // Nothing that was given stays here.
  drawn.fill(0, given, (given += octets))
  return out
}
