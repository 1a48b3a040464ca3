import type { Row, TableEdit, UidSet } from 'mailwright/api'
import { LINE, placeOf } from './columns.js'
import { INDEX_OCTETS, indexText, LONGEST_LINE, SEQUENCE_OCTETS } from './records.js'
import type { Patch } from './redo.js'

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
export function withoutLines(edit: TableEdit, gone: UidSet, end: number): IndexChange {
  const { rows } = edit
  const lines = rows.column(LINE)
  const lineOf = (row: number): number => (row < rows.length ? (lines[row] ?? 0) : end)
  const isGone = (row: number): boolean => gone.has(rows.uid[row] ?? 0)
  const left = rows.length - gone.count
  let first = 0
  while (first < rows.length && !isGone(first)) first++
  if (end - SEQUENCE_OCTETS > 2 * left * INDEX_OCTETS + 16 * INDEX_OCTETS) return rewritten(edit, isGone, 0)
  const patches: Patch[] = []
  /** Where the line of the last message that stays begins. */
  let kept = first > 0 ? lineOf(first - 1) : -1
  for (let row = first; row < rows.length; ) {
    if (!isGone(row)) {
      kept = lineOf(row++)
      continue
    }
    let next = row
    while (next < rows.length && isGone(next)) next++
    // Nothing follows: the file ends where the first of them began.
    if (next === rows.length) return { patches, size: kept < 0 ? SEQUENCE_OCTETS : lineOf(row) }
    const stop = kept < 0 ? lineOf(next + 1) : lineOf(next)
    const start = kept < 0 ? SEQUENCE_OCTETS : kept
    if (stop - start > LONGEST_LINE) return rewritten(edit, isGone, kept < 0 ? 0 : row, patches)
    if (kept < 0) {
      patches.push({ at: start, bytes: Buffer.from(lineText(edit, next) + FILLER.repeat(stop - 2 - start - TEXT_OCTETS)) })
      // A row number is an index of the table.
      edit.set(next as Row, LINE, start)
      kept = start
      row = next + 1
    } else {
      patches.push({ at: start + TEXT_OCTETS, bytes: Buffer.from(FILLER.repeat(stop - 2 - start - TEXT_OCTETS)) })
      row = next
    }
  }
  return { patches, size: end }
}

/** Lines from a row on, one behind the other. */
function rewritten(edit: TableEdit, isGone: (row: number) => boolean, from: number, before: readonly Patch[] = []): IndexChange {
  const { rows } = edit
  const start = from === 0 ? SEQUENCE_OCTETS : (rows.column(LINE)[from] ?? 0)
  const text: string[] = []
  for (let row = from; row < rows.length; row++) {
    if (isGone(row)) continue
    edit.set(row as Row, LINE, start + text.length * INDEX_OCTETS)
    text.push(`${lineText(edit, row)}\r\n`)
  }
  return { patches: [...before, { at: start, bytes: Buffer.from(text.join('')) }], size: start + text.length * INDEX_OCTETS }
}
function lineText(edit: TableEdit, row: number): string {
  const { rows } = edit
  return indexText({ uid: rows.uid[row] ?? 0, ms: rows.date[row] ?? 0, zone: rows.zone[row] ?? 0, size: rows.size[row] ?? 0, ...placeOf(rows, row) })
}
