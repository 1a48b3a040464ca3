import type { Row, Rows, UidSet } from 'mailwright/api'
import type { IndexTable } from './records.js'

/** Whether the rows, which grow at their end only, lack a message between others. */
export function contradicts(rows: Rows, table: IndexTable): boolean {
  const last = rows.length === 0 ? 0 : (rows.uid[rows.length - 1] ?? 0)
  for (let i = 0, row = 0; i < table.count; i++) {
    const uid = table.uid[i] ?? 0
    if (uid > last) return false
    while (row < rows.length && (rows.uid[row] ?? 0) < uid) row++
    if (rows.uid[row] !== uid) return true
  }
  return false
}
/** Rows of the uids that are there, ascending. */
export function rowsOf(rows: Rows, set: UidSet): Row[] {
  const out: Row[] = []
  const { ranges } = set
  for (let r = 0; r + 1 < ranges.length; r += 2) {
    const [first = 0, last = 0] = [ranges[r], ranges[r + 1]]
    for (let row = firstRow(rows, first); row < rows.length && (rows.uid[row] ?? 0) <= last; row++) {
      // A row number is an index of the table.
      out.push(row as Row)
    }
  }
  return out
}
/** The first row with this uid or a higher one. */
function firstRow(rows: Rows, uid: number): number {
  let low = 0
  let high = rows.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((rows.uid[middle] ?? 0) < uid) low = middle + 1
    else high = middle
  }
  return low
}
