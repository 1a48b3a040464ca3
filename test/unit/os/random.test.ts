import { expect, test } from 'vitest'
import { systemRandom } from '../../../core/os/clock.js'

test('random octets, few or many, are never the same twice, and changing them changes no others', () => {
  const seen = new Set<string>()
  for (let n = 0; n < 2000; n++) {
    for (const octets of [8, 16, 63, 64, 65, 300]) {
      const drawn = systemRandom(octets)
      expect(drawn.length).toBe(octets)
      seen.add(Buffer.from(drawn).toString('hex'))
      drawn.fill(7)
    }
  }
  expect(seen.size).toBe(12_000)
  expect(systemRandom(0)).toHaveLength(0)
  // What lies around them in memory is theirs alone.
  expect(systemRandom(5).buffer.byteLength).toBe(5)
})
