import fc from 'fast-check'
import { expect, test } from 'vitest'
import { gather } from '../../../core/net/gather.js'

const rows = [
  { name: 'nothing', sizes: [], pieces: [] },
  { name: 'one chunk stays as it is', sizes: [100_000], pieces: [100_000] },
  { name: 'a small turn is one buffer', sizes: [10, 20_000, 5], pieces: [20_015] },
  { name: 'large chunks of a large turn are not copied, runs of small ones are', sizes: [10, 20, 100_000, 7, 8192, 1, 2], pieces: [30, 100_000, 7, 8192, 3] },
]
test.each(rows)('$name', ({ sizes, pieces }) => {
  const chunks = sizes.map((n, i) => Buffer.alloc(n, i + 1))
  const gathered = gather(chunks, sizes.reduce((a, b) => a + b, 0))
  expect(gathered.map((p) => p.length)).toEqual(pieces)
  expect(Buffer.concat(gathered).equals(Buffer.concat(chunks))).toBe(true)
})

test('octets and their order never change', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20_000, size: 'max' }), { maxLength: 20 }), (chunks) => {
      const octets = chunks.reduce((sum, c) => sum + c.length, 0)
      expect(Buffer.concat(gather(chunks, octets)).equals(Buffer.concat(chunks))).toBe(true)
    }),
    { numRuns: 50 },
  )
})
