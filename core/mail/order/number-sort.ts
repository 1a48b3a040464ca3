import type { Pace } from '../../api/index.js'
import { mergeRuns } from './paced-sort.js'

/** As many as the engine sorts in one go: a millisecond. */
const RUN = 16 * 1024

/**
 * The places of whole numbers in their order, or in the opposite one; equal ones stay as they are. Undefined where they are no whole numbers, or so far
 * apart that a number and its place do not fit into one exact number together. Sorted as such the engine needs to ask nobody how two of them compare,
 * which is most of the time of a sort otherwise, and in a process that has just begun twenty times as much.
 */
export async function placesOfNumbers(column: Float64Array, reverse: boolean, pace: Pace): Promise<Uint32Array | undefined> {
  const keys = await withPlaces(column, reverse, pace)
  if (keys === undefined) return undefined
  const room = roomFor(column.length)
  const places = new Uint32Array(column.length)
  for (let from = 0; from < places.length; from += RUN) {
    const run = keys.subarray(from, from + RUN).sort()
    for (let i = 0; i < run.length; i++) places[from + i] = run[i]! - Math.floor(run[i]! / room) * room
    if (pace.due()) await pace.turn()
  }
  return mergeRuns(places, RUN, reverse ? (a, b) => column[b]! - column[a]! : (a, b) => column[a]! - column[b]!, pace)
}

/** Numbers with their places behind them. */
async function withPlaces(column: Float64Array, reverse: boolean, pace: Pace): Promise<Float64Array | undefined> {
  let least = column[0] ?? 0
  let most = least
  for (let i = 0; i < column.length; i++) {
    const value = column[i]!
    if (Math.floor(value) !== value) return undefined
    if (value < least) least = value
    if (value > most) most = value
  }
  const room = roomFor(column.length)
  // Neither is a sum of larger numbers exact.
  if (!Number.isSafeInteger(least) || !Number.isSafeInteger(most) || (most - least + 1) * room > Number.MAX_SAFE_INTEGER) return undefined
  if (pace.due()) await pace.turn()
  const keys = new Float64Array(column.length)
  for (let i = 0; i < keys.length; i++) keys[i] = (reverse ? most - column[i]! : column[i]! - least) * room + i
  return keys
}
/** A power of two: whatever is divided by it stays exact. */
function roomFor(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, count)))
}
