/**
 * Positions of the longest ascending choice of numbers, in their order: where a list that must ascend is damaged, the fewest that can be wrong are
 * left out.
 */
export function longestAscending(numbers: readonly number[]): readonly number[] {
  /** Position of the smallest last number of a choice of each length. */
  const ends: number[] = []
  const before = new Int32Array(numbers.length)
  for (const [i, n] of numbers.entries()) {
    let low = 0
    let high = ends.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((numbers[ends[middle] ?? 0] ?? 0) < n) low = middle + 1
      else high = middle
    }
    before[i] = low > 0 ? (ends[low - 1] ?? -1) : -1
    ends[low] = i
  }
  const out: number[] = []
  for (let i = ends.at(-1) ?? -1; i >= 0; i = before[i] ?? -1) out.push(i)
  return out.toReversed()
}
