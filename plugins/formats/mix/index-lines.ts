import type { Row, TableEdit, UidSet } from 'mailwright/api'
import { LINE, placeOf } from './columns.js'
import { putIndexLine } from './put-records.js'
import { INDEX_OCTETS, LONGEST_LINE, SEQUENCE_OCTETS } from './records.js'
import type { Patch } from './redo.js'
import { rowsOf } from './rows.js'

/** Without its line's end. */
const TEXT_OCTETS = INDEX_OCTETS - 2
const FILLER = '-'

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
  const present = rowsOf(rows, there)
  const lines = rows.column(LINE)
  const lineOf = (i: number): number => (i < present.length ? (lines[present[i] ?? 0] ?? 0) : end)
  const isGone = (i: number): boolean => gone.has(rows.uid[present[i] ?? 0] ?? 0)
  const rewritten = (from: number, before: readonly Patch[]): IndexChange => allFrom(edit, present.slice(from), isGoneRow, from === 0 ? SEQUENCE_OCTETS : lineOf(from), before)
  const isGoneRow = (row: Row): boolean => gone.has(rows.uid[row] ?? 0)
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
      const bytes = Buffer.alloc(stop - 2 - start, FILLER)
      bytes.set(lineOfRow(edit, staying).subarray(0, TEXT_OCTETS))
      patches.push({ at: start, bytes })
      edit.set(staying, LINE, start)
      kept = start
      i = next + 1
    } else {
      patches.push({ at: start + TEXT_OCTETS, bytes: Buffer.from(FILLER.repeat(stop - 2 - start - TEXT_OCTETS)) })
      i = next
    }
  }
  return { patches, size: end }
}

/** Lines of rows, one behind the other. */
function allFrom(edit: TableEdit, rows: readonly Row[], isGone: (row: Row) => boolean, start: number, before: readonly Patch[]): IndexChange {
  const lines: Buffer[] = []
  for (const row of rows) {
    if (isGone(row)) continue
    edit.set(row, LINE, start + lines.length * INDEX_OCTETS)
    lines.push(lineOfRow(edit, row))
  }
  return { patches: [...before, { at: start, bytes: Buffer.concat(lines) }], size: start + lines.length * INDEX_OCTETS }
}
function lineOfRow(edit: TableEdit, row: number): Buffer {
  const { rows } = edit
  const line = Buffer.allocUnsafe(INDEX_OCTETS)
  putIndexLine(line, 0, { uid: rows.uid[row] ?? 0, ms: rows.date[row] ?? 0, zone: rows.zone[row] ?? 0, size: rows.size[row] ?? 0, ...placeOf(rows, row) })
  return line
}
