import { Pace, uids } from '../../api/index.js'
import type { AnyFact, MessageValue, Section, Wants } from '../../api/index.js'
import { lowerBound } from '../table/generation.js'
import type { TableView } from '../view/view.js'
import type { KeptValues, OrderMemory } from './memory.js'

type Values = (string | number)[]
/** A value that is read out of messages, what is known of it, and how many are wanting. */
interface Reading {
  readonly value: Extract<MessageValue, { readonly needs: Wants }>
  readonly out: (string | number | undefined)[]
}

/** Values between two looks at the clock. */
const STEP = 64

/**
 * Values of messages, one list for each of `wanted`, in the order of `rows`, which ascend. What columns say is taken anew; the rest is kept, and what
 * is wanting is read for all of them together. A message that is gone has 0 or the empty string, which is not kept.
 */
export async function valuesOf(view: TableView, wanted: readonly MessageValue[], rows: Uint32Array, memory: OrderMemory, signal: AbortSignal): Promise<readonly Values[]> {
  const pace = new Pace(signal)
  const table = view.rows
  const facts = memory.of(view.mailbox)
  const lists = wanted.map((value) => (value.needs === 'columns' ? [] : known(facts.values.get(value.name), rows, table.uid)))
  const readings = wanted.flatMap((value, i): Reading[] => (value.needs === 'columns' ? [] : [{ value: value as Reading['value'], out: lists[i]! }]))
  const missing = wanting(rows, readings)
  await fillGaps(view, wanted, rows, missing, signal)
  if (missing.length > 0) {
    await read(view, readings, rows, missing, pace, signal)
    for (const { value, out } of readings) facts.values.set(value.name, merged(facts.values.get(value.name), rows, out, view))
    memory.grown(view.mailbox, facts)
  }
  for (const [i, value] of wanted.entries()) {
    const list = lists[i]!
    if (value.needs === 'columns') {
      for (let n = 0; n < rows.length; n++) {
        // Rows of the table are rows.
        list[n] = value.of(rows[n] as never, table)
        if (n % 1024 === 0 && pace.due()) await pace.turn()
      }
    } else if (missing.length > 0) fillIn(list)
  }
  // All of them have a value by now.
  return lists as Values[]
}

/** Makes sizes and dates known, for values that look at them: of all rows where columns answer, else of those that are read. */
async function fillGaps(view: TableView, wanted: readonly MessageValue[], rows: Uint32Array, missing: Uint32Array, signal: AbortSignal): Promise<void> {
  if (view.rows.gaps === 0) return
  const asked = wanted.some((v) => v.fills === true && v.needs === 'columns') ? rows : wanted.some((v) => v.fills === true) ? missing : undefined
  const gaps = asked?.filter((row) => view.generation.hasGap(row)) ?? []
  if (gaps.length > 0) await view.mailbox.fill(uids.from(Array.from(gaps, (row) => view.rows.uid[row]!)), signal)
}

/** What is kept of these rows; undefined where nothing is. */
function known(kept: KeptValues | undefined, rows: Uint32Array, uid: Uint32Array): (string | number | undefined)[] {
  const out: (string | number | undefined)[] = []
  let at = 0
  for (const row of rows) {
    const wanted = uid[row]!
    if (kept !== undefined) at = kept.uids[at] === wanted ? at : lowerBound(kept.uids, kept.uids.length, wanted, at)
    out.push(kept?.uids[at] === wanted ? kept.values[at] : undefined)
  }
  return out
}

/** Rows of which some value is not known. A loop: `filter` calls out for each row. */
function wanting(rows: Uint32Array, readings: readonly Reading[]): Uint32Array {
  const out = new Uint32Array(rows.length)
  let filled = 0
  for (let i = 0; i < rows.length; i++) {
    for (const reading of readings) {
      if (reading.out[i] !== undefined) continue
      out[filled++] = rows[i]!
      break
    }
  }
  return out.subarray(0, filled)
}

/** Reads what is wanting of all values at once. */
async function read(view: TableView, readings: readonly Reading[], rows: Uint32Array, missing: Uint32Array, pace: Pace, signal: AbortSignal): Promise<void> {
  const table = view.rows
  const set = uids.from(missing.map((row) => table.uid[row]!))
  const wants = together(readings.map(({ value }) => value.needs))
  let since = 0
  for await (const batch of view.readUids(set, wants, signal)) {
    for (const message of batch) {
      const row = table.find(message.uid)
      const place = row === -1 ? -1 : lowerBound(rows, rows.length, row)
      if (row === -1 || rows[place] !== row) continue
      for (const { value, out } of readings) out[place] ??= value.of(row, table, message)
      if (++since % STEP === 0 && pace.due()) await pace.turn()
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

/** What was kept with what is known now; messages that are gone are left out. */
function merged(kept: KeptValues | undefined, rows: Uint32Array, found: readonly (string | number | undefined)[], view: TableView): KeptValues {
  const { uid } = view.rows
  const present = view.mailbox.table
  const numbers: number[] = []
  const values: Values = []
  let at = 0
  const old = kept?.uids ?? new Uint32Array(0)
  const takeOld = (below: number): void => {
    for (; at < old.length && old[at]! < below; at++) {
      if (present.generation.find(old[at]!) === -1) continue
      numbers.push(old[at]!)
      values.push(kept!.values[at]!)
    }
  }
  for (let i = 0; i < rows.length; i++) {
    const number = uid[rows[i]!]!
    takeOld(number)
    if (old[at] === number) at++
    if (found[i] === undefined) continue
    numbers.push(number)
    values.push(found[i]!)
  }
  takeOld(Infinity)
  return { uids: Uint32Array.from(numbers), values }
}

/** Messages that are gone. */
function fillIn(list: (string | number | undefined)[]): void {
  const nothing = list.some((value) => typeof value === 'string') ? '' : 0
  for (let i = 0; i < list.length; i++) list[i] ??= nothing
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
