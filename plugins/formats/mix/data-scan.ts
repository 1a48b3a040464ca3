import type { ReadableFile } from '../shared/patient-file.js'
import { FileWindow } from '../shared/fixed/window.js'
import { DATA_OCTETS, parseDataRecord, type DataRecord } from './records.js'

/** A message of a data file. */
export interface InData {
  /** Where its record begins, and octets of that. */
  readonly at: number
  readonly internal: number
  readonly size: number
  /** Undefined where the record is damaged, and only the index tells that a message is there. */
  readonly record: DataRecord | undefined
}
/** What the index says of a place in the file. */
export interface Hint {
  readonly uid: number
  readonly internal: number
  readonly size: number
}
const RECORD_START = /:msg:[0-9a-f]{8}:\d{14}[+-]\d{4}:[0-9a-f]{8}:\r\n/gi

/**
 * Walks from record to record, and over what is none to the next that is one. `hints`: messages of the index, which say where a
 * message is whose record is damaged.
 */
export async function scanData(file: ReadableFile, size: number, { at: hints, moved }: Hints<Hint>, signal: AbortSignal): Promise<{ readonly found: readonly InData[]; readonly skipped: readonly (readonly [from: number, to: number])[] }> {
  const found: InData[] = []
  const skipped: (readonly [number, number])[] = []
  const window = new FileWindow(file, size)
  const places = [...hints.keys()].sort((a, b) => a - b)
  const recordAt = async (at: number): Promise<DataRecord | undefined> => {
    if (!window.covers(at, DATA_OCTETS)) await window.move(at)
    return parseDataRecord(window.buffer.subarray(0, window.end), window.index(at))
  }
  const begins = async (at: number): Promise<boolean> => at === size || hints.has(at) || (await recordAt(at)) !== undefined
  /** The first place from there on where a message begins, by itself or by the index. */
  const nextFrom = async (from: number): Promise<number> => {
    const hinted = places.find((place) => place >= from) ?? size
    for await (const { at } of recordsOf(window, from, hinted, size, signal)) return at
    return hinted
  }
  for (let at = 0, nextMoved = 0; at < size; ) {
    signal.throwIfAborted()
    while ((moved[nextMoved] ?? size) <= at) nextMoved++
    const record = await recordAt(at)
    const hint = hints.get(at)
    const told = hint !== undefined && at + hint.internal + hint.size <= size ? hint : undefined
    if (record !== undefined && (told === undefined || told.size === record.size)) {
      const end = at + DATA_OCTETS + record.size
      // A size of which nobody else tells may be what is damaged: a message that begins within says so. The last message may have lost its end.
      const isSure = told !== undefined || (end <= size && (await begins(end)))
      const next = isSure ? Math.min(end, moved[nextMoved] ?? end) : Math.min(end, await nextFrom(at + DATA_OCTETS))
      found.push({ at, internal: DATA_OCTETS, size: next - at - DATA_OCTETS, record })
      at = next
    } else if (told !== undefined) {
      const end = at + told.internal + told.size
      const other = record === undefined ? undefined : at + DATA_OCTETS + record.size
      const use = other !== undefined && !(await begins(end)) && (await begins(other)) ? { end: other, internal: DATA_OCTETS } : { end, internal: told.internal }
      found.push({ at, internal: use.internal, size: use.end - at - use.internal, record })
      at = use.end
    } else {
      const next = await nextFrom(at + 1)
      skipped.push([at, next])
      at = next
    }
  }
  return { found, skipped }
}
/** Records that begin from one place to another, wherever they stand. The window is the caller's again when it has one. */
async function* recordsOf(window: FileWindow, from: number, to: number, size: number, signal: AbortSignal): AsyncGenerator<{ readonly at: number; readonly record: DataRecord }> {
  for (let at = from; at < to; ) {
    signal.throwIfAborted()
    await window.move(at)
    if (window.end === 0) return
    const octets = window.buffer.subarray(0, window.end)
    for (const { index } of octets.toString('latin1').matchAll(RECORD_START)) {
      if (at + index >= to) return
      const record = parseDataRecord(octets, index)
      if (record !== undefined) yield { at: at + index, record }
    }
    if (at + octets.length >= size) return
    at += octets.length - DATA_OCTETS + 1
  }
}
/** What the index says of messages, by the places where they are. */
export interface Hints<T extends Hint> {
  readonly at: ReadonlyMap<number, T>
  /** Places that are not those of the index, ascending. */
  readonly moved: readonly number[]
}
/**
 * Hints for the places where the records are: octets that came or went in a file move all that is behind them, and what the index says of a place would be
 * the end of one message and the beginning of the next.
 */
export async function hintsInPlace<T extends Hint>(file: ReadableFile, size: number, told: ReadonlyMap<number, T>, signal: AbortSignal): Promise<Hints<T>> {
  const window = new FileWindow(file, size)
  /** By UID, where its record is not in its place. */
  const missing = new Map<number, number>()
  for (const [place, { uid }] of [...told].sort(([a], [b]) => a - b)) {
    signal.throwIfAborted()
    if (!window.covers(place, DATA_OCTETS)) await window.move(place)
    if (parseDataRecord(window.buffer.subarray(0, window.end), window.index(place)) === undefined) missing.set(uid, place)
  }
  if (missing.size === 0) return { at: told, moved: [] }
  const at = new Map(told)
  const moved: number[] = []
  for await (const found of recordsOf(window, 0, size, size, signal)) {
    const { uid } = found.record
    const place = missing.get(uid)
    const hint = place === undefined ? undefined : told.get(place)
    if (place === undefined || hint?.size !== found.record.size || at.has(found.at)) continue
    missing.delete(uid)
    at.delete(place)
    at.set(found.at, hint)
    moved.push(found.at)
  }
  return { at, moved }
}
