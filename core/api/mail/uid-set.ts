/** Ascending, disjoint ranges. Never expanded: `1:4294967295` costs 8 bytes. */
export interface UidSet {
  readonly ranges: Uint32Array
  readonly count: number
  has(uid: number): boolean
  and(other: UidSet): UidSet
  or(other: UidSet): UidSet
  minus(other: UidSet): UidSet
}

const LAST = 0xffffffff
/** More pairs than this are sorted in halves. */
const PLACES = 2 ** 20

/** Index of the first range that ends at or after `uid`. */
function firstRangeReaching(ranges: Uint32Array, uid: number): number {
  let low = 0
  let high = ranges.length >>> 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ranges[2 * middle + 1]! < uid) low = middle + 1
    else high = middle
  }
  return low
}

/** Ranges as pairs of first and last, ascending, disjoint and not adjacent; the array belongs to the set. */
class Ranges implements UidSet {
  readonly ranges: Uint32Array
  readonly count: number
  constructor(ranges: Uint32Array) {
    this.ranges = ranges
    let count = 0
    for (let i = 0; i < ranges.length; i += 2) count += ranges[i + 1]! - ranges[i]! + 1
    this.count = count
  }
  has(uid: number): boolean {
    const i = firstRangeReaching(this.ranges, uid)
    return 2 * i < this.ranges.length && this.ranges[2 * i]! <= uid
  }
  and(other: UidSet): UidSet {
    const a = this.ranges
    const b = other.ranges
    if (covers(b, a)) return this
    if (covers(a, b)) return other
    const out: number[] = []
    let i = 0
    let j = 0
    while (i < a.length && j < b.length) {
      const first = Math.max(a[i]!, b[j]!)
      const last = Math.min(a[i + 1]!, b[j + 1]!)
      if (first <= last) out.push(first, last)
      if (a[i + 1]! < b[j + 1]!) i += 2
      else j += 2
    }
    return made(out)
  }
  or(other: UidSet): UidSet {
    if (other.ranges.length === 0) return this
    if (this.ranges.length === 0) return other
    const a = this.ranges
    const b = other.ranges
    const out: number[] = []
    let i = 0
    let j = 0
    while (i < a.length || j < b.length) {
      const fromA = j >= b.length || (i < a.length && a[i]! <= b[j]!)
      const first = fromA ? a[i]! : b[j]!
      const last = fromA ? a[i + 1]! : b[j + 1]!
      if (fromA) i += 2
      else j += 2
      pushJoined(out, first, last)
    }
    return made(out)
  }
  minus(other: UidSet): UidSet {
    const a = this.ranges
    const b = other.ranges
    if (a.length === 0 || b.length === 0) return this
    if (covers(b, a)) return none
    const out: number[] = []
    let j = 0
    for (let i = 0; i < a.length; i += 2) {
      let first = a[i]!
      const last = a[i + 1]!
      while (j < b.length && b[j + 1]! < first) j += 2
      let k = j
      while (k < b.length && b[k]! <= last && first <= last) {
        if (b[k]! > first) out.push(first, b[k]! - 1)
        first = b[k + 1]! + 1
        k += 2
      }
      if (first <= last) out.push(first, last)
    }
    return made(out)
  }
}

/** Whether the first is one range that contains all of the second: the common case of `1:*`. */
function covers(a: Uint32Array, b: Uint32Array): boolean {
  return b.length === 0 || (a.length === 2 && a[0]! <= b[0]! && a[1]! >= b[b.length - 1]!)
}
function pushJoined(out: number[], first: number, last: number): void {
  const end = out.length - 1
  if (end > 0 && first <= out[end]! + 1) {
    if (last > out[end]!) out[end] = last
  } else out.push(first, last)
}
function made(pairs: readonly number[]): UidSet {
  return pairs.length === 0 ? none : new Ranges(Uint32Array.from(pairs))
}
/** Whether the pairs already are what a set keeps. */
function isAscending(pairs: Uint32Array): boolean {
  if (pairs.length % 2 !== 0) return false
  for (let i = 0; i < pairs.length; i += 2) {
    if (pairs[i]! > pairs[i + 1]! || (i > 0 && pairs[i]! <= pairs[i - 1]! + 1)) return false
  }
  return true
}
const none: UidSet = new Ranges(new Uint32Array(0))

/** The only makers of sets. */
export const uids = {
  none,
  /** Every uid from 1 to 2^32-1. */
  all: new Ranges(Uint32Array.of(1, LAST)) as UidSet,
  one(uid: number): UidSet {
    return new Ranges(Uint32Array.of(uid, uid))
  },
  /** Of numbers in ascending order; equal neighbours are one. */
  from(ascending: ArrayLike<number>): UidSet {
    const { length } = ascending
    let runs = 0
    for (let i = 0, end = 0; i < length; i++) {
      const uid = ascending[i]!
      if (runs === 0 || uid > end + 1) runs++
      if (uid > end) end = uid
    }
    if (runs === 0) return none
    // Counted first: a list that grows costs more than all else here.
    const pairs = new Uint32Array(2 * runs)
    for (let i = 0, at = -1; i < length; i++) {
      const uid = ascending[i]!
      if (at < 0 || uid > pairs[at]! + 1) {
        pairs[at + 1] = uid
        at += 2
      }
      if (uid > pairs[at]!) pairs[at] = uid
    }
    return new Ranges(pairs)
  },
  /** Of pairs in any order, which may overlap or stand last before first; the array is not kept. */
  ranges(pairs: Uint32Array): UidSet {
    if (isAscending(pairs)) return pairs.length === 0 ? none : new Ranges(pairs.slice())
    // First numbers with the places of their pairs: 2^32 times 2^20 is exact, and numbers sort fast.
    const count = pairs.length >>> 1
    if (count > PLACES) return uids.ranges(pairs.subarray(0, count & ~1)).or(uids.ranges(pairs.subarray(count & ~1)))
    const keys = new Float64Array(count)
    for (let i = 0; i < count; i++) keys[i] = Math.min(pairs[2 * i]!, pairs[2 * i + 1]!) * PLACES + i
    keys.sort()
    const out: number[] = []
    for (const key of keys) {
      const i = key % PLACES
      pushJoined(out, Math.floor(key / PLACES), Math.max(pairs[2 * i]!, pairs[2 * i + 1]!))
    }
    return made(out)
  },
} as const
