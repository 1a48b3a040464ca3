import { describe, expect, test } from 'vitest'
import { growingPercent } from '../../../core/main/heap.js'

const MIB = 1 << 20

describe('how much a heap may grow until it is collected as a whole', () => {
  test.each([16, 25, 40, 64, 70, 100, 128])('%i MiB have room for the mail of many batches, and for not much more', (used) => {
    const room = (used * growingPercent(used * MIB)) / 100
    expect(room).toBeGreaterThanOrEqual(60)
    expect(room).toBeLessThanOrEqual(70)
  })
  test.each([150, 1000])('of %i MiB V8 decides', (used) => expect(growingPercent(used * MIB)).toBe(0))
  test('that of a process which has nothing yet is bounded', () => expect(growingPercent(0)).toBe(400))
})
