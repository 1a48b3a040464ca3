import { Pace, uids } from '../../api/index.js'
import type { AnyFact, MessageValue, Row, Rows, Section, Wants } from '../../api/index.js'
import { lowerBound } from '../table/generation.js'
import type { TableView } from '../view/view.js'
import { octetsOf } from './memory.js'
import type { KeptValues, OrderFacts, OrderMemory } from './memory.js'

type Values = (string | number)[]
/** Undefined: not known yet. */
type Found = (string | number | undefined)[]
/** A value that is read out of messages, and what is known of it. */
interface Reading {
  readonly value: Extract<MessageValue, { readonly needs: Wants }>
  readonly out: Found
  /** Nothing is known of any message. */
  readonly isNew: boolean
}

/** What is read comes in batches, each of which may take as long again. */
const SLICE_MS = 4
/** Values between two looks at the clock, taken out of memory. */
const STEP = 1024
/** The same where each is made out of a message. */
const READ_STEP = 64

/**
 * Values of messages, one list for each of `wanted`, in the order of `rows`, which ascend. What columns say is taken anew; the rest is kept, and what
 * is wanting is read for all of them together. A message that is gone has 0 or the empty string, which is not kept.
 */
export async function valuesOf(view: TableView, wanted: readonly MessageValue[], rows: Uint32Array, memory: OrderMemory, signal: AbortSignal): Promise<readonly Values[]> {
  const pace = new Pace(signal, SLICE_MS)
  const facts = memory.of(view.mailbox)
  const lists: Found[] = []
  const readings: Reading[] = []
  for (const value of wanted) {
    if (value.needs === 'columns') {
      lists.push([])
      continue
    }
    const kept = facts.values(value.name)
    const out = kept === undefined ? noneOf(rows.length) : await known(kept, rows, view.rows.uid, pace)
    lists.push(out)
    readings.push({ value, out, isNew: kept === undefined })
  }
  const missing = await wanting(rows, readings, pace)
  await fillGaps(view, wanted, rows, missing, signal)
  if (missing.length > 0) {
    await read(view, readings, rows, missing, pace, signal)
    for (const { value, out } of readings) await keep(facts, value.name, rows, out, view, pace)
  }
  for (const [i, value] of wanted.entries()) {
    if (value.needs === 'columns') await readColumns(view.rows, value, rows, lists[i]!, pace)
    else if (missing.length > 0) await fillIn(lists[i]!, pace)
  }
  // All of them have a value by now.
  return lists as Values[]
}

async function readColumns(table: Rows, value: Extract<MessageValue, { readonly needs: 'columns' }>, rows: Uint32Array, out: Found, pace: Pace): Promise<void> {
  for (let i = 0; i < rows.length; i++) {
    // Rows of the table are rows.
    out.push(value.of(rows[i] as Row, table))
    if (i % STEP === 0 && pace.due()) await pace.turn()
  }
}

/** Makes sizes and dates known, for values that look at them: of all rows where columns answer, else of those that are read. */
async function fillGaps(view: TableView, wanted: readonly MessageValue[], rows: Uint32Array, missing: Uint32Array, signal: AbortSignal): Promise<void> {
  if (view.rows.gaps === 0) return
  const ofAll = wanted.some((v) => v.fills === true && v.needs === 'columns')
  const asked = ofAll ? rows : wanted.some((v) => v.fills === true) ? missing.map((place) => rows[place]!) : new Uint32Array(0)
  const gaps = asked.filter((row) => view.generation.hasGap(row)).map((row) => view.rows.uid[row]!)
  if (gaps.length > 0) await view.mailbox.fill(uids.from(gaps), signal)
}

function noneOf(count: number): Found {
  const out: Found = []
  for (let i = 0; i < count; i++) out.push(undefined)
  return out
}
/** What is kept of these rows; undefined where nothing is. */
async function known(kept: KeptValues, rows: Uint32Array, uid: Uint32Array, pace: Pace): Promise<Found> {
  const out: Found = []
  let at = 0
  for (let i = 0; i < rows.length; i++) {
    const wanted = uid[rows[i]!]!
    if (kept.uids[at] !== wanted) at = lowerBound(kept.uids, kept.uids.length, wanted, at)
    out.push(kept.uids[at] === wanted ? kept.values[at++] : undefined)
    if (i % STEP === 0 && pace.due()) await pace.turn()
  }
  return out
}

/** Places of the rows of which some value is not known. */
async function wanting(rows: Uint32Array, readings: readonly Reading[], pace: Pace): Promise<Uint32Array> {
  const out = new Uint32Array(rows.length)
  const isAll = readings.some(({ isNew }) => isNew)
  let filled = 0
  for (let i = 0; i < rows.length; i++) {
    if (isAll || readings.some(({ out: found }) => found[i] === undefined)) out[filled++] = i
    if (i % STEP === 0 && pace.due()) await pace.turn()
  }
  return out.subarray(0, filled)
}

/** Reads what is wanting of all values at once. */
async function read(view: TableView, readings: readonly Reading[], rows: Uint32Array, missing: Uint32Array, pace: Pace, signal: AbortSignal): Promise<void> {
  const table = view.rows
  const { uid } = table
  const asked = new Uint32Array(missing.length)
  for (let i = 0; i < asked.length; i++) asked[i] = uid[rows[missing[i]!]!]!
  const wants = together(readings.map(({ value }) => value.needs))
  // Both ascend.
  let next = 0
  let since = 0
  for await (const batch of view.readUids(uids.from(asked), wants, signal)) {
    for (const message of batch) {
      while (next < asked.length && asked[next]! < message.uid) next++
      if (asked[next] !== message.uid) continue
      const place = missing[next]!
      // A row of the table is a row.
      for (const { value, out } of readings) out[place] ??= value.of(rows[place] as Row, table, message)
      if (++since % READ_STEP === 0 && pace.due()) await pace.turn()
    }
  }
}

const DEPTHS = ['none', 'header', 'whole'] as const
/** All that several of them want. */
function together(all: readonly Wants[]): Wants {
  const facts = new Map<string, AnyFact>()
  const sections: Section[] = []
  let depth = 0
  for (const wants of all) {
    for (const fact of wants.facts) facts.set(`${fact.id}@${fact.version}`, fact)
    sections.push(...wants.sections)
    depth = Math.max(depth, DEPTHS.indexOf(wants.bytes))
  }
  return { bytes: DEPTHS[depth]!, sections, facts: [...facts.values()] }
}

/** Keeps what is known now with what was kept before; of that, messages that are gone are left out. */
async function keep(facts: OrderFacts, name: string, rows: Uint32Array, found: Found, view: TableView, pace: Pace): Promise<void> {
  const { uid } = view.rows
  const { table } = view.mailbox
  const before = facts.values(name)
  const old = before?.uids ?? new Uint32Array(0)
  const numbers = new Uint32Array(old.length + rows.length)
  const values: Values = []
  let at = 0
  for (let i = 0; i <= rows.length; i++) {
    const number = i < rows.length ? uid[rows[i]!]! : Infinity
    for (; at < old.length && old[at]! < number; at++) {
      if (table.generation.find(old[at]!) !== -1) numbers[values.push(before!.values[at]!) - 1] = old[at]!
      if (at % STEP === 0 && pace.due()) await pace.turn()
    }
    if (old[at] === number) at++
    const value = found[i]
    if (value !== undefined) numbers[values.push(value) - 1] = number
    if (i % STEP === 0 && pace.due()) await pace.turn()
  }
  let octets = 0
  for (const value of values) octets += octetsOf(value)
  facts.keep(name, { uids: numbers.slice(0, values.length), values }, octets)
}

/** Messages that are gone. */
async function fillIn(list: Found, pace: Pace): Promise<void> {
  let nothing: string | number | undefined
  for (let i = 0; i < list.length; i++) {
    if (list[i] === undefined) list[i] = nothing ??= list.some((value) => typeof value === 'string') ? '' : 0
    if (i % STEP === 0 && pace.due()) await pace.turn()
  }
}

/** Whether what is made of these values follows from the messages alone. */
export function isLasting(wanted: readonly MessageValue[]): boolean {
  return wanted.every((value) => value.needs !== 'columns')
}
/** The rows of an ascending set. */
export function rowsIn(pairs: Uint32Array, count: number): Uint32Array {
  const out = new Uint32Array(count)
  let filled = 0
  for (let i = 0; i < pairs.length; i += 2) for (let row = pairs[i]!; row <= pairs[i + 1]!; row++) out[filled++] = row
  return out
}
