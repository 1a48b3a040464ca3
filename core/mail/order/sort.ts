import { Pace } from '../../api/index.js'
import type { SortKey, UidSet } from '../../api/index.js'
import type { TableView } from '../view/view.js'
import type { OrderMemory } from './memory.js'
import { placesOfNumbers } from './number-sort.js'
import { pacedSort } from './paced-sort.js'
import type { Comparison } from './paced-sort.js'
import { isLasting, rowsIn, valuesOf } from './values.js'

/** Uids of the set in the order of the keys; messages that are equal in all of them stay in the order of the mailbox (RFC 5256 §3). */
export async function inOrder(view: TableView, keys: readonly SortKey[], set: UidSet, memory: OrderMemory, signal: AbortSignal): Promise<Uint32Array> {
  const values = keys.map((key) => key.value)
  const name = keys.map((key) => `${key.reverse ? '-' : ''}${key.value.name}`).join(' ')
  const facts = memory.of(view.mailbox)
  const before = facts.orders.get(name, set)
  if (before !== undefined) return before
  const named = view.resolve({ pairs: set.ranges }, 'uid')
  const rows = rowsIn(named.pairs, named.count)
  const columns = await valuesOf(view, values, rows, memory, signal)
  const places = await placesInOrder(keys, columns, rows.length, new Pace(signal))
  const { uid } = view.rows
  // In place: what was a place is a uid from here on.
  const order = places
  for (let i = 0; i < order.length; i++) order[i] = uid[rows[places[i]!]!]!
  if (isLasting(values)) facts.orders.keep(name, set, order)
  return order
}

/** One list of values for each key. */
async function placesInOrder(keys: readonly SortKey[], columns: readonly (readonly (string | number)[])[], count: number, pace: Pace): Promise<Uint32Array> {
  const numbers = columns.map(numbersOf)
  const [only] = numbers
  const alone = only !== undefined && keys.length === 1 ? await placesOfNumbers(only, keys[0]!.reverse, pace) : undefined
  if (alone !== undefined) return alone
  const comparisons = keys.map(({ reverse }, i) => {
    const column = numbers[i]
    const compare = column === undefined ? byText(columns[i]!) : byNumber(column)
    return reverse ? (a: number, b: number) => compare(b, a) : compare
  })
  return pacedSort(count, all(comparisons), pace)
}
/** Undefined: not all are numbers. */
function numbersOf(column: readonly (string | number)[]): Float64Array | undefined {
  const out = new Float64Array(column.length)
  for (let i = 0; i < out.length; i++) {
    const value = column[i]!
    if (typeof value !== 'number') return undefined
    out[i] = value
  }
  return out
}
function byNumber(column: Float64Array): Comparison {
  return (a, b) => column[a]! - column[b]!
}
function byText(column: readonly (string | number)[]): Comparison {
  return (a, b) => {
    const [x, y] = [column[a]!, column[b]!]
    return x === y ? 0 : x < y ? -1 : 1
  }
}
/** The first key counts, then the next. */
function all(comparisons: readonly Comparison[]): Comparison {
  const [first, ...others] = comparisons
  if (first === undefined) return () => 0
  if (others.length === 0) return first
  return (a, b) => {
    let order = first(a, b)
    for (let i = 0; order === 0 && i < others.length; i++) order = others[i]!(a, b)
    return order
  }
}
