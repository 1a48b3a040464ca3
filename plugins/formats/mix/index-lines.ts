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

const [STAYS, LEAVES, ABSENT] = [0, 1, 2]

/**
 * The index without some messages. Whatever stands between the last field and the end of a line is passed over by every reader, so the line of a
 * message that stays is stretched over those that go: the cost is that of what goes, not of what follows. Where lines would become too long, or
 * stretched ones most of the file, all that follows is written anew. `absent`: messages that others expunged, whose rows stand there until the edit is
 * committed; they have no line any more.
 */
export function withoutLines(edit: TableEdit, absent: UidSet, gone: UidSet, end: number): IndexChange {
  const { rows } = edit
  const { length } = rows
  const lines = rows.column(LINE)
  const becomes = new Uint8Array(length)
  for (const row of rowsOfSet(rows, absent)) becomes[row] = ABSENT
  const leaving = [...rowsOfSet(rows, gone)]
  for (const row of leaving) becomes[row] = LEAVES
  const rewritten = (from: number, before: readonly Patch[]): IndexChange => allFrom(edit, from, (row) => becomes[row] === STAYS, from === 0 ? SEQUENCE_OCTETS : (lines[from] ?? 0), before)
  /** Where the first line stands that is one of this row or of one behind it. */
  const lineFrom = (row: number): number => {
    let at = row
    while (becomes[at] === ABSENT) at++
    return at < length ? (lines[at] ?? 0) : end
  }
  const stayingBefore = (row: number): number => {
    let at = row - 1
    while (at >= 0 && becomes[at] !== STAYS) at--
    return at
  }
  if (end - SEQUENCE_OCTETS > 2 * (length - absent.count - gone.count) * INDEX_OCTETS + 16 * INDEX_OCTETS) return rewritten(0, [])
  const patches: Patch[] = []
  /** The first message that stays, where it came to the beginning. */
  let first = -1
  for (let n = 0; n < leaving.length; ) {
    const row = leaving[n] ?? 0
    let next: number = row
    while (next < length && becomes[next] !== STAYS) next++
    const before = stayingBefore(row)
    const start = before < 0 || before === first ? SEQUENCE_OCTETS : (lines[before] ?? 0)
    // Nothing follows: the file ends where the first of them began.
    if (next === length) return { patches, size: before < 0 ? SEQUENCE_OCTETS : (lines[row] ?? 0) }
    const stop = lineFrom(before < 0 ? next + 1 : next)
    if (stop - start > LONGEST_LINE) return rewritten(before < 0 ? 0 : row, patches)
    if (before < 0) {
      // Its end is where that of the line before was.
      const line = Buffer.allocUnsafe(INDEX_OCTETS)
      putLine(edit, next, line, 0)
      const bytes = Buffer.alloc(stop - 2 - start, FILLER)
      bytes.set(line.subarray(0, TEXT_OCTETS))
      patches.push({ at: start, bytes })
      // A row number is an index of the table.
      edit.set(next as Row, LINE, start)
      first = next
    } else patches.push({ at: start + TEXT_OCTETS, bytes: FILLERS.subarray(0, stop - 2 - start - TEXT_OCTETS) })
    while ((leaving[n] ?? length) < next) n++
  }
  return { patches, size: end }
}

/** Lines of rows, one behind the other. */
function allFrom(edit: TableEdit, from: number, stays: (row: number) => boolean, start: number, before: readonly Patch[]): IndexChange {
  const { length } = edit.rows
  const octets = Buffer.allocUnsafe((length - from) * INDEX_OCTETS)
  let end = 0
  for (let row = from; row < length; row++) {
    if (!stays(row)) continue
    edit.set(row as Row, LINE, start + end)
    putLine(edit, row, octets, end)
    end += INDEX_OCTETS
  }
  return { patches: [...before, { at: start, bytes: octets.subarray(0, end) }], size: start + end }
}
function putLine({ rows }: TableEdit, row: number, into: Uint8Array, at: number): void {
  putIndexLine(into, at, { uid: rows.uid[row] ?? 0, ms: rows.date[row] ?? 0, zone: rows.zone[row] ?? 0, size: rows.size[row] ?? 0, ...placeOf(rows, row) })
}
