import type { Row, TableEdit, UidSet } from 'mailwright/api'
import { LINE, placeOf } from './columns.js'
import { putIndexLine } from './put-records.js'
import { INDEX_OCTETS, LONGEST_LINE, SEQUENCE_OCTETS } from './records.js'
import type { Patch } from './redo.js'
import { rowsOfSet } from '../shared/rows-of-set.js'

/** Without its line's end. */
const TEXT_OCTETS = INDEX_OCTETS - 2
const FILLER = '-'
const FILLERS = Buffer.alloc(LONGEST_LINE, FILLER)

/** What the index becomes. */
export interface IndexChange {
  readonly patches: readonly Patch[]
  readonly size: number
}

/**
 * The index without some messages. Whatever stands between the last field and the end of a line is passed over by every reader, so the line of a
 * message that stays is stretched over those that go: the cost is that of what goes, not of what follows. Where lines would become too long, or
 * stretched ones most of the file, all that follows is written anew.
 */
export function withoutLines(edit: TableEdit, there: UidSet, gone: UidSet, end: number): IndexChange {
  const { rows } = edit
  // Rows of messages that others expunged stand there until the edit is committed; they have no line any more.
  const present = [...rowsOfSet(rows, there)]
  const lines = rows.column(LINE)
  const lineOf = (i: number): number => (i < present.length ? (lines[present[i] ?? 0] ?? 0) : end)
  const leaving = new Uint8Array(rows.length)
  for (const row of rowsOfSet(rows, gone)) leaving[row] = 1
  const isGone = (i: number): boolean => leaving[present[i] ?? 0] === 1
  const rewritten = (from: number, before: readonly Patch[]): IndexChange => allFrom(edit, present.slice(from), isGoneRow, from === 0 ? SEQUENCE_OCTETS : lineOf(from), before)
  const isGoneRow = (row: Row): boolean => leaving[row] === 1
  const left = present.length - gone.count
  let first = 0
  while (first < present.length && !isGone(first)) first++
  if (end - SEQUENCE_OCTETS > 2 * left * INDEX_OCTETS + 16 * INDEX_OCTETS) return rewritten(0, [])
  const patches: Patch[] = []
  /** Where the line of the last message that stays begins. */
  let kept = first > 0 ? lineOf(first - 1) : -1
  for (let i = first; i < present.length; ) {
    if (!isGone(i)) {
      kept = lineOf(i++)
      continue
    }
    let next = i
    while (next < present.length && isGone(next)) next++
    // Nothing follows: the file ends where the first of them began.
    const staying = present[next]
    if (staying === undefined) return { patches, size: kept < 0 ? SEQUENCE_OCTETS : lineOf(i) }
    const stop = kept < 0 ? lineOf(next + 1) : lineOf(next)
    const start = kept < 0 ? SEQUENCE_OCTETS : kept
    if (stop - start > LONGEST_LINE) return rewritten(kept < 0 ? 0 : i, patches)
    if (kept < 0) {
      // Its end is where that of the line before was.
      const line = Buffer.allocUnsafe(INDEX_OCTETS)
      putLine(edit, staying, line, 0)
      const bytes = Buffer.alloc(stop - 2 - start, FILLER)
      bytes.set(line.subarray(0, TEXT_OCTETS))
      patches.push({ at: start, bytes })
      edit.set(staying, LINE, start)
      kept = start
      i = next + 1
    } else {
      patches.push({ at: start + TEXT_OCTETS, bytes: FILLERS.subarray(0, stop - 2 - start - TEXT_OCTETS) })
      i = next
    }
  }
  return { patches, size: end }
}

/** Lines of rows, one behind the other. */
function allFrom(edit: TableEdit, rows: readonly Row[], isGone: (row: Row) => boolean, start: number, before: readonly Patch[]): IndexChange {
  const octets = Buffer.allocUnsafe(rows.length * INDEX_OCTETS)
  let end = 0
  for (const row of rows) {
    if (isGone(row)) continue
    edit.set(row, LINE, start + end)
    putLine(edit, row, octets, end)
    end += INDEX_OCTETS
  }
  return { patches: [...before, { at: start, bytes: octets.subarray(0, end) }], size: start + end }
}
function putLine({ rows }: TableEdit, row: number, into: Uint8Array, at: number): void {
  putIndexLine(into, at, { uid: rows.uid[row] ?? 0, ms: rows.date[row] ?? 0, zone: rows.zone[row] ?? 0, size: rows.size[row] ?? 0, ...placeOf(rows, row) })
}
