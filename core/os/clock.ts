import { randomBytes } from 'node:crypto'
import type { Clock } from '../api/kernel.js'

/** The machine's time. A pending call keeps the process alive until it ran or was disposed of. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

/** Random octets fit for secrets. */
export function systemRandom(octets: number): Uint8Array {
  return randomBytes(octets)
}
