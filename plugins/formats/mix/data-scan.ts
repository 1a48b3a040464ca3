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
 * Walks from record to record, and over what is none to the next that is one. `hints`: messages of the index by their place, which say where a
 * message is whose record is damaged.
 */
export async function scanData(file: ReadableFile, size: number, hints: ReadonlyMap<number, Hint>, signal: AbortSignal): Promise<{ readonly found: readonly InData[]; readonly skipped: readonly (readonly [from: number, to: number])[] }> {
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
    for (let at = from; at < hinted; ) {
      signal.throwIfAborted()
      await window.move(at)
      if (window.end === 0) break
      for (const { index } of window.buffer.toString('latin1', 0, window.end).matchAll(RECORD_START)) {
        const place = at + index
        if (place >= hinted) return hinted
        if (parseDataRecord(window.buffer.subarray(0, window.end), index) !== undefined) return place
      }
      if (at + window.end >= size) break
      at += window.end - DATA_OCTETS
    }
    return hinted
  }
  for (let at = 0; at < size; ) {
    signal.throwIfAborted()
    const record = await recordAt(at)
    const hint = hints.get(at)
    const told = hint !== undefined && at + hint.internal + hint.size <= size ? hint : undefined
    if (record !== undefined && (told === undefined || told.size === record.size)) {
      const end = at + DATA_OCTETS + record.size
      // A size of which nobody else tells may be what is damaged: a message that begins within says so. The last message may have lost its end.
      const next = told !== undefined || (end <= size && (await begins(end))) ? end : Math.min(end, await nextFrom(at + DATA_OCTETS))
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
