import { describe, expect, test } from 'vitest'
import { Pace } from '../../../../core/api/index.js'
import { pacedSort } from '../../../../core/mail/order/paced-sort.js'
import { SeededRandom } from '../../../../core/testing/random.js'
import { seedOf } from '../../../support/random.js'

const never = new AbortController().signal

describe('sorting in pieces', () => {
  test.each([0, 1, 2, 511, 512, 513, 1024, 1025, 5000, 20_001])('%i numbers as the sort of the language does, equal ones in their order', async (count) => {
    const random = new SeededRandom(seedOf('paced sort'))
    const numbers = Array.from({ length: count }, () => random.below(1 + count / 3))
    const compare = (a: number, b: number): number => numbers[a]! - numbers[b]!
    const expected = numbers.map((_, i) => i).toSorted(compare)
    expect([...(await pacedSort(count, compare, new Pace(never)))]).toEqual(expected)
  })
  test('ends when the signal says so', async () => {
    const ending = new AbortController()
    const compare = (a: number, b: number): number => {
      for (let i = 0; i < 2000; i++) Math.sqrt(i)
      return b - a
    }
    const sorting = pacedSort(200_000, compare, new Pace(ending.signal))
    setImmediate(() => ending.abort())
    await expect(sorting).rejects.toThrow('aborted')
  })
})
