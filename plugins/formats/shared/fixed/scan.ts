import type { ReadableFile } from '../patient-file.js'
import type { Dialect } from './dialect.js'
import { clientHeader, Measure } from './measure.js'
import { LONGEST_LINE, parseLine, type Damage, type RecordLine } from './record.js'
import { FileWindow } from './window.js'

/** A record as found. */
export interface Found {
  readonly offset: number
  readonly line: RecordLine
  readonly stored: number
  /** As a client sees it; 0: not known yet. */
  readonly header: number
  readonly size: number
}
/** What the scan of a file, or of its tail, found. */
export interface Scanned {
  readonly records: readonly Found[]
  /** The first thing that is wrong. */
  readonly damage: Damage | undefined
  /** All that is wrong, in the order of the file. */
  readonly problems: readonly Damage[]
  /** What stands between records and is none, in the order of the file. */
  readonly passed: readonly Passed[]
}
/** From one place in the file to another. */
export interface Passed {
  readonly from: number
  readonly to: number
}

/** How a record's line begins in every file that was written this century; damage is passed over up to the next. */
const LINE_START = /[ 0-3]\d-[A-Za-z]{3}-\d{4} \d\d:\d\d:\d\d [+-]\d{4},\d{1,10};/g

/**
 * Walks from line to line. What is no record is passed over up to the next that is one, so that damage costs no more than what is
 * damaged; the caller must not write to such a file.
 */
export async function scanRecords(file: ReadableFile, dialect: Dialect, from: number, limit: number, signal: AbortSignal): Promise<Scanned> {
  const records: Found[] = []
  const window = new FileWindow(file, limit)
  const problems: Damage[] = []
  const passed: Passed[] = []
  let at = from
  while (at < limit) {
    if (!window.covers(at, LONGEST_LINE)) {
      signal.throwIfAborted()
      await window.move(at)
      if (window.end === 0) {
        problems.push({ at, text: `Unable to read internal header at ${at}, size = ${limit}: no data read` })
        break
      }
    }
    const start = window.index(at)
    const line = parseLine(dialect, window.buffer, start, window.end, at)
    const wrong = 'text' in line ? line : pastEnd(at, line, limit)
    if (wrong !== undefined) {
      problems.push(wrong)
      // The size of the record before may be what is wrong.
      const before = records.at(-1)
      const suspect = 'text' in line ? (before === undefined ? at + 1 : before.offset + before.line.length) : at + line.length
      const next = await nextRecord(file, dialect, suspect, limit, signal)
      if (before !== undefined && 'text' in line && next < at) records[records.length - 1] = await found(file, dialect, window, before.offset, before.line, next - before.offset - before.line.length)
      if (!('text' in line)) records.push(await found(file, dialect, window, at, line, next - at - line.length))
      else if (next > at) passed.push({ from: at, to: next })
      at = next
      continue
    }
    // What is narrowed above: a line without text is no damage.
    const good = line as RecordLine
    records.push(await found(file, dialect, window, at, good, good.stored))
    at += good.length + good.stored
  }
  return { records, damage: problems[0], problems, passed }
}
function pastEnd(at: number, line: RecordLine, limit: number): Damage | undefined {
  const end = at + line.length + line.stored
  return end > limit ? { at, text: `Last message (at ${at}) runs past end of file (${end} > ${limit})` } : undefined
}

async function found(file: ReadableFile, dialect: Dialect, window: FileWindow, offset: number, line: RecordLine, stored: number): Promise<Found> {
  const textAt = offset + line.length
  if (window.covers(offset, line.length + stored)) {
    const octets = window.buffer.subarray(window.index(textAt), window.index(textAt) + stored)
    if (dialect.text === 'as-is') return { offset, line, stored, header: clientHeader(dialect, octets, true), size: stored }
    const measure = new Measure(dialect)
    measure.add(octets)
    measure.end()
    return { offset, line, stored, header: measure.header, size: measure.size }
  }
  if (dialect.text === 'as-is') {
    const there = window.covers(textAt, 0) ? window.buffer.subarray(window.index(textAt), window.end) : Buffer.alloc(0)
    return { offset, line, stored, header: clientHeader(dialect, there, false), size: stored }
  }
  const measure = new Measure(dialect)
  const piece = Buffer.allocUnsafe(Math.min(1 << 18, stored))
  for (let done = 0; done < stored; ) {
    const n = await file.read(piece.subarray(0, Math.min(piece.length, stored - done)), textAt + done)
    if (n === 0) break
    measure.add(piece.subarray(0, n))
    done += n
  }
  measure.end()
  return { offset, line, stored, header: measure.header, size: measure.size }
}

/** Where the next record begins; the limit when there is none. */
async function nextRecord(file: ReadableFile, dialect: Dialect, from: number, limit: number, signal: AbortSignal): Promise<number> {
  const window = new FileWindow(file, limit)
  for (let at = from; at < limit; ) {
    signal.throwIfAborted()
    await window.move(at)
    if (window.end === 0) return limit
    const text = window.buffer.toString('latin1', 0, window.end)
    for (const match of text.matchAll(LINE_START)) {
      const offset = at + match.index
      if (!window.covers(offset, LONGEST_LINE)) break
      const line = parseLine(dialect, window.buffer, match.index, window.end, offset)
      if (!('text' in line) && offset + line.length + line.stored <= limit) return offset
    }
    if (at + window.end >= limit) return limit
    at += window.end - LONGEST_LINE
  }
  return limit
}
