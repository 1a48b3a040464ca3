import { describe, expect, test } from 'vitest'
import { Pace } from '../../../../core/api/index.js'
import { placesOfNumbers } from '../../../../core/mail/order/number-sort.js'
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

describe('sorting whole numbers', () => {
  const sorted = async (numbers: readonly number[], reverse: boolean): Promise<readonly number[] | undefined> => {
    const places = await placesOfNumbers(Float64Array.from(numbers), reverse, new Pace(never))
    return places === undefined ? undefined : [...places]
  }
  const byComparing = (numbers: readonly number[], reverse: boolean): readonly number[] =>
    numbers.map((_, i) => i).toSorted((a, b) => (reverse ? numbers[b]! - numbers[a]! : numbers[a]! - numbers[b]!))

  test.each([0, 1, 2, 3, 1000, 16_384, 16_385, 40_000])('%i of them as comparing does, equal ones in their order, both ways', async (count) => {
    const random = new SeededRandom(seedOf('number sort'))
    const numbers = Array.from({ length: count }, () => random.below(1 + count / 3) - count)
    expect(await sorted(numbers, false)).toEqual(byComparing(numbers, false))
    expect(await sorted(numbers, true)).toEqual(byComparing(numbers, true))
  })
  test.each([
    ['dates from year 0 to 9999', [253_402_300_799, -62_167_219_200, 0, -0, 1_700_000_000, 1_700_000_000, -1]],
    ['as far apart as numbers and places fit', [2 ** 51 - 2, 0, 1, 2 ** 51 - 3]],
  ])('%s', async (_name, numbers) => {
    for (const reverse of [false, true]) expect(await sorted(numbers, reverse)).toEqual(byComparing(numbers, reverse))
  })
  test.each([
    ['fractions', [1, 1.5]],
    ['what is no number', [1, NaN]],
    ['what is not finite', [1, Infinity]],
    ['too far apart', [0, 2 ** 52, 2]],
    ['not exact', [2 ** 53, 2 ** 53 + 2]],
  ])('%s it leaves to others', async (_name, numbers) => {
    expect([await sorted(numbers, false), await sorted(numbers, true)]).toEqual([undefined, undefined])
  })
})
