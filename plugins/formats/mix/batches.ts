import type { Rows, UidSet, Wants } from 'mailwright/api'
import { rowsOfSet } from '../shared/rows-of-set.js'
import { placeOf, type Place } from './columns.js'

/** Messages up to this size are handed out whole. */
const INLINE = 1 << 16
/** Octets of the first batch, so that something is on its way soon; of the later ones; how much larger each is than the one before. */
const FIRST = 1 << 17
const BATCH = 1 << 20
const GROWTH = 4
/** So many messages of one batch at most. */
const MANY = 1000
/** How far apart two messages may be for one read to fetch both: where a disk is asked, and where a call is all that it costs. */
export const NEAR = 1 << 14
export const TIGHT = 1 << 10

/** A message to be read. */
export interface Wanted {
  /** Where the rows had it when it was asked for. */
  readonly row: number
  readonly uid: number
  readonly size: number
  readonly place: Place
  /** Octets to read, the record in front included. */
  readonly octets: number
}
/** Octets that one read fetches, and where in the buffer they go. */
export interface Run {
  readonly file: number
  readonly at: number
  length: number
  readonly into: number
  readonly messages: Wanted[]
}

/** What is to be read of the set, in pieces; nothing but the messages' names where no octets are wanted. */
export function* batches(set: UidSet, wants: Wants, rows: Rows): Generator<readonly Wanted[]> {
  const octets = wants.bytes !== 'none' || wants.sections.length > 0
  let batch: Wanted[] = []
  let room = FIRST
  let sum = 0
  let file = -1
  let end = 0
  for (const row of rowsOfSet(rows, set)) {
    const place = placeOf(rows, row)
    const size = rows.size[row] ?? 0
    const whole = wants.bytes !== 'header' && size <= INLINE
    const length = octets ? place.internal + (whole ? size : Math.min(size, place.header)) : 0
    batch.push({ row, uid: rows.uid[row] ?? 0, size, place, octets: length })
    // What is read through to the next counts as well.
    const gap = octets && place.file === file ? place.at - end : -1
    sum += length + (gap > 0 && gap <= NEAR ? gap : 0)
    file = place.file
    end = place.at + length
    if (sum < room && batch.length < MANY) continue
    yield batch
    room = Math.min(BATCH, GROWTH * room)
    batch = []
    sum = 0
  }
  if (batch.length > 0) yield batch
}

/** Messages that stand near each other are fetched by one read. */
export function runsOf(batch: readonly Wanted[], near: number): Run[] {
  const runs: Run[] = []
  let room = 0
  for (const m of batch) {
    const last = runs.at(-1)
    const end = last === undefined ? 0 : last.at + last.length
    if (last !== undefined && last.file === m.place.file && m.place.at >= end && m.place.at - end <= near) {
      room += m.place.at + m.octets - end
      last.length = m.place.at + m.octets - last.at
      last.messages.push(m)
      continue
    }
    runs.push({ file: m.place.file, at: m.place.at, length: m.octets, into: room, messages: [m] })
    room += m.octets
  }
  return runs
}
/** Octets of the buffer that runs need. */
export function roomOf(runs: readonly Run[]): number {
  const last = runs.at(-1)
  return last === undefined ? 0 : last.into + last.length
}
