import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { uids, type UidSet } from '../../../core/api/index.js'

const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 60 }))
const setOf = (list: readonly number[]): UidSet => uids.from(Uint32Array.from(list).sort())
const listOf = (set: UidSet): number[] => {
  const out: number[] = []
  for (let i = 0; i < set.ranges.length; i += 2) for (let n = set.ranges[i]!; n <= set.ranges[i + 1]!; n++) out.push(n)
  return out
}
const ascending = (list: Iterable<number>): number[] => [...list].toSorted((a, b) => a - b)

describe('UidSet', () => {
  test('and, or and minus agree with sets of numbers', () => {
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const x = new Set(a)
        const y = new Set(b)
        expect(listOf(setOf(a).and(setOf(b)))).toEqual(ascending(a.filter((n) => y.has(n))))
        expect(listOf(setOf(a).or(setOf(b)))).toEqual(ascending(new Set([...x, ...y])))
        expect(listOf(setOf(a).minus(setOf(b)))).toEqual(ascending(a.filter((n) => !y.has(n))))
      }),
    )
  })
  test('has and count agree with sets of numbers', () => {
    fc.assert(
      fc.property(numbers, (a) => {
        const set = setOf(a)
        expect(set.count).toBe(a.length)
        for (let n = 1; n <= 61; n++) expect(set.has(n)).toBe(a.includes(n))
      }),
    )
  })
  test('from joins neighbours, and equal ones', () => {
    expect([...uids.from([1, 1, 2, 3, 7, 9, 9, 10, 0xffffffff]).ranges]).toEqual([1, 3, 7, 7, 9, 10, 0xffffffff, 0xffffffff])
    expect([uids.from([]).count, uids.from([5]).count]).toEqual([0, 1])
  })
  test('ranges sorts, joins and turns around', () => {
    expect([...uids.ranges(Uint32Array.of(9, 7, 1, 3, 4, 5)).ranges]).toEqual([1, 5, 7, 9])
  })
  test('the whole range survives subtraction', () => {
    expect([...uids.all.minus(uids.one(7)).ranges]).toEqual([1, 6, 8, 0xffffffff])
  })
})
