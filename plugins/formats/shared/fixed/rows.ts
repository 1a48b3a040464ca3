import { uids, type FlagSetId, type Row, type TableEdit } from 'mailwright/api'
import type { Contents } from './contents.js'
import { SYSTEM_BITS, type Fields } from './dialect.js'
import type { KeywordBits } from './keyword-bits.js'
import { FORM, type Layout, type Place } from './layout.js'
import type { Entry } from './numbering.js'

/*
 * Rows of core's table for records of the file. Each row has its message's place, which the layout has as well.
 */

/** A message that was appended. */
export interface Entered {
  readonly place: Place
  readonly system: number
  readonly keywords: readonly string[]
  readonly date: { readonly ms: number; readonly zone: number }
}
type Into = Pick<Contents, 'layout' | 'keywords'>

/** Flags of a record as the table has them; most messages have those of others. */
export function flagSetsOf(keywords: KeywordBits, edit: TableEdit): (fields: Fields) => FlagSetId {
  const made = new Map<number, FlagSetId>()
  return ({ flags, keywords: mask }) => {
    const system = flags & SYSTEM_BITS
    const key = mask * 64 + system
    let id = made.get(key)
    if (id === undefined) made.set(key, (id = edit.flagSet(system, keywords.words(mask))))
    return id
  }
}
/** Rows for records behind all that the table has. */
export function addRows(entries: readonly Entry[], { layout, keywords }: Into, edit: TableEdit): void {
  const flagSet = flagSetsOf(keywords, edit)
  for (const { found, place } of entries) {
    const row = edit.add(place.uid, flagSet(found.line.fields), (place.form & FORM.old) === 0)
    edit.setDate(row, found.line.ms, found.line.zone)
    layout.save(layout.push(place), row, edit)
  }
}
/** Rows for messages that were appended just now. */
export function addAppended(messages: readonly Entered[], layout: Layout, edit: TableEdit): void {
  for (const { place, system, keywords, date } of messages) {
    const row = edit.add(place.uid, edit.flagSet(system, keywords), true)
    edit.setDate(row, date.ms, date.zone)
    layout.save(layout.push(place), row, edit)
  }
}
/**
 * Makes the table that of these records, all of the file: rows without one go, and those that it lacks are added, which must come behind (`fitsRows`).
 * The layout is empty before. Returns how many were added.
 */
export function takeRows(entries: readonly Entry[], into: Into, edit: TableEdit): number {
  const known = (i: number): number => edit.rows.uid[i] ?? 0
  const flagSet = flagSetsOf(into.keywords, edit)
  const had = edit.rows.length
  const gone: number[] = []
  let row = 0
  const fresh: Entry[] = []
  for (const entry of entries) {
    while (row < had && known(row) < entry.place.uid) gone.push(known(row++))
    if (row >= had || known(row) !== entry.place.uid) {
      fresh.push(entry)
      continue
    }
    // A row number is an index of the table.
    renew(entry, row++ as Row, flagSet, into.layout, edit)
  }
  while (row < had) gone.push(known(row++))
  if (gone.length > 0) edit.remove(uids.from(gone))
  addRows(fresh, into, edit)
  return fresh.length
}
function renew({ found, place }: Entry, row: Row, flagSet: (fields: Fields) => FlagSetId, layout: Layout, edit: TableEdit): void {
  edit.setFlags(row, flagSet(found.line.fields))
  if ((place.form & FORM.old) !== 0) edit.setRecent(row, false)
  if (edit.rows.date[row] !== found.line.ms || edit.rows.zone[row] !== found.line.zone) edit.setDate(row, found.line.ms, found.line.zone)
  layout.save(layout.push(place), row, edit)
}
