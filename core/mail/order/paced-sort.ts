import type { Pace } from '../../api/index.js'

/** As many as are sorted without a look at the clock. */
const RUN = 512
/** Moved in a merge between two looks. */
const STEP = 1024

/** Below 0 when the first of two places comes before the second, 0 when they are equal. */
export type Comparison = (a: number, b: number) => number

/** The places 0 to `count`-1 in order; equal ones stay as they are. Runs are sorted, then merged in pairs, giving way to others in between. */
export async function pacedSort(count: number, compare: Comparison, pace: Pace): Promise<Uint32Array> {
  const places = new Uint32Array(count)
  for (let i = 0; i < count; i++) places[i] = i
  for (let at = 0; at < count; at += RUN) {
    places.subarray(at, at + RUN).sort(compare)
    if (pace.due()) await pace.turn()
  }
  return mergeRuns(places, RUN, compare, pace)
}

/** Places of which each `run` are in order already, all in order. They are the callee's. */
export async function mergeRuns(places: Uint32Array, run: number, compare: Comparison, pace: Pace): Promise<Uint32Array> {
  const count = places.length
  if (count <= run) return places
  let from: Uint32Array = places
  let into: Uint32Array = new Uint32Array(count)
  for (let width = run; width < count; width *= 2) {
    for (let at = 0; at < count; at += 2 * width) await merge(from, into, at, Math.min(count, at + width), Math.min(count, at + 2 * width), compare, pace)
    const done = into
    into = from
    from = done
  }
  return from
}

/** Merges the sorted stretches `at…middle` and `middle…end`. */
async function merge(from: Uint32Array, into: Uint32Array, at: number, middle: number, end: number, compare: Comparison, pace: Pace): Promise<void> {
  let left = at
  let right = middle
  for (let start = at; start < end; start += STEP) {
    const stop = Math.min(end, start + STEP)
    for (let out = start; out < stop; out++) {
      const takesLeft = left < middle && (right >= end || compare(from[left]!, from[right]!) <= 0)
      into[out] = takesLeft ? from[left++]! : from[right++]!
    }
    if (pace.due()) await pace.turn()
  }
}
