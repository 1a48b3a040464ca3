import { uids, type RowSet, type Rows, type UidSet } from '../../api/index.js'
import { lowerBound } from './generation.js'

/** Of no rows. */
export const noRows: RowSet = { pairs: new Uint32Array(0), count: 0 }

/** Of ascending, disjoint pairs, which are kept. */
export function rowSet(pairs: ArrayLike<number>): RowSet {
  if (pairs.length === 0) return noRows
  let count = 0
  for (let i = 0; i < pairs.length; i += 2) count += pairs[i + 1]! - pairs[i]! + 1
  return { pairs: pairs instanceof Uint32Array ? pairs : Uint32Array.from(pairs), count }
}
/** Rows from `first` up to, not including, `end`. */
export function rowRange(first: number, end: number): RowSet {
  return first < end ? { pairs: Uint32Array.of(first, end - 1), count: end - first } : noRows
}
/** Rows below `end` whose uid is in the set. */
export function rowsOf(rows: Rows, set: UidSet, end: number): RowSet {
  const { ranges } = set
  const { uid } = rows
  // At most one pair per range, and one per row.
  const out = new Uint32Array(Math.min(ranges.length, 2 * end))
  let filled = 0
  let at = 0
  for (let i = 0; i < ranges.length && at < end; i += 2) {
    at = lowerBound(uid, end, ranges[i]!, at)
    if (at >= end) break
    const last = ranges[i + 1]!
    const stop = ranges[i] === last ? at + (uid[at] === last ? 1 : 0) : last >= uid[end - 1]! ? end : lowerBound(uid, end, last + 1, at)
    if (stop <= at) continue
    if (filled > 0 && out[filled - 1]! + 1 === at) out[filled - 1] = stop - 1
    else {
      out[filled] = at
      out[filled + 1] = stop - 1
      filled += 2
    }
    at = stop
  }
  return rowSet(filled === out.length ? out : out.slice(0, filled))
}
/** Uids of rows. */
export function uidsOf(rows: Rows, set: RowSet): UidSet {
  if (set.count === 0) return uids.none
  const uid = rows.uid
  const out: number[] = []
  for (let i = 0; i < set.pairs.length; i += 2) {
    const first = set.pairs[i]!
    const last = set.pairs[i + 1]!
    if (last - first === uid[last]! - uid[first]!) {
      join(out, uid[first]!, uid[last]!)
      continue
    }
    for (let row = first; row <= last; row++) join(out, uid[row]!, uid[row]!)
  }
  return uids.ranges(Uint32Array.from(out))
}
/** The numbers of a set, one by one. */
export function numbersOf({ ranges, count }: UidSet): Uint32Array {
  const out = new Uint32Array(count)
  let filled = 0
  for (let i = 0; i < ranges.length; i += 2) for (let n = ranges[i]!; n <= ranges[i + 1]!; n++) out[filled++] = n
  return out
}
function join(out: number[], first: number, last: number): void {
  if (out.length > 0 && out[out.length - 1]! + 1 === first) out[out.length - 1] = last
  else out.push(first, last)
}
/** Ascending pairs of numbers that come in any order, several times. */
export function pairsOf(numbers: number[]): number[] {
  let ascending = true
  for (let i = 1; i < numbers.length && ascending; i++) ascending = numbers[i - 1]! < numbers[i]!
  const sorted = ascending ? numbers : numbers.toSorted((a, b) => a - b)
  const out: number[] = []
  for (const n of sorted) {
    if (out.length > 0 && n <= out[out.length - 1]! + 1) out[out.length - 1] = n
    else out.push(n, n)
  }
  return out
}
