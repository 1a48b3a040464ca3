import type { ReadableFile } from '../patient-file.js'
import type { Dialect } from './dialect.js'
import { LINE_START, LONGEST_LINE, parseLine, type RecordLine } from './record.js'

/** Octets of one read: most messages end and begin in it. */
const PIECE = 1 << 15

/**
 * The line of the record that ends where the file does, looked for from there to the front; undefined when there is none. It costs what that message
 * is long, however many there are. A message may hold such a line itself, that of a record which ends with it: what the line says is to be
 * compared with what is known from elsewhere.
 */
export async function lastRecord(file: ReadableFile, dialect: Dialect, start: number, size: number, signal: AbortSignal): Promise<RecordLine | undefined> {
  const buffer = Buffer.allocUnsafe(Math.min(PIECE + LONGEST_LINE, size - start))
  let from = size
  for (let to = size; to > start; to = from) {
    signal.throwIfAborted()
    from = Math.max(start, to - PIECE)
    // A line may begin in this piece and end in the one behind it.
    const piece = buffer.subarray(0, Math.min(size, to + LONGEST_LINE) - from)
    if ((await file.read(piece, from)) < piece.length) return undefined
    const begins = [...piece.toString('latin1').matchAll(LINE_START)].map(({ index }) => index)
    for (const index of begins.toReversed()) {
      const line = parseLine(dialect, piece, index, piece.length, from + index)
      if (!('text' in line) && from + index + line.length + line.stored === size) return line
    }
  }
  return undefined
}
