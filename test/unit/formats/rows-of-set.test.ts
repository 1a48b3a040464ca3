import { describe, expect, it } from 'vitest'
import { uids } from '../../../core/api/index.js'
import type { Rows } from '../../../core/api/index.js'
import { rowsOfSet } from '../../../plugins/formats/shared/rows-of-set.js'

/** Rows of messages with these uids, and how often a uid was looked at. */
function rowsWith(numbers: readonly number[]): { readonly rows: Rows; readonly looks: () => number } {
  let looks = 0
  const uid = new Proxy(Uint32Array.from(numbers), {
    get(target, key) {
      looks++
      return Reflect.get(target, key) as unknown
    },
  })
  // What the columns besides are is not looked at.
  return { rows: { uid, length: numbers.length } as unknown as Rows, looks: () => looks }
}
const every = (count: number, step: number): readonly number[] => Array.from({ length: count }, (_, i) => (i + 1) * step)

describe('rows of a set of messages', () => {
  it('are those whose uids are in it', () => {
    const { rows } = rowsWith([2, 3, 5, 9, 10, 4_294_967_295])
    const found = (...ranges: number[]): readonly number[] => [...rowsOfSet(rows, uids.ranges(Uint32Array.from(ranges)))]
    expect(found(1, 4_294_967_295)).toEqual([0, 1, 2, 3, 4, 5])
    expect(found(1, 1)).toEqual([])
    expect(found(3, 3, 6, 9)).toEqual([1, 3])
    expect(found(1, 2, 4, 4, 10, 11, 4_294_967_295, 4_294_967_295)).toEqual([0, 4, 5])
    expect([...rowsOfSet(rows, uids.none)]).toEqual([])
    expect([...rowsOfSet(rowsWith([]).rows, uids.one(1))]).toEqual([])
  })
  it('are found without a walk through the others', () => {
    const { rows, looks } = rowsWith(every(100_000, 3))
    expect([...rowsOfSet(rows, uids.from([3, 150_000, 300_000]))]).toEqual([0, 49_999, 99_999])
    expect(looks()).toBeLessThan(100)
  })
})
