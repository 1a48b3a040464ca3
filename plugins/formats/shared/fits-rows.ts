import type { Rows } from 'mailwright/api'

/**
 * Whether rows can be added to the table for all messages that it lacks, which grows at its end only: they must come after those that it has.
 *
 * @param uidAt of `count` messages, ascending.
 */
export function fitsRows(rows: Rows, count: number, uidAt: (i: number) => number): boolean {
  const last = rows.uid[rows.length - 1] ?? 0
  for (let i = 0, row = 0; i < count; i++) {
    const uid = uidAt(i)
    if (uid > last) return true
    while (row < rows.length && (rows.uid[row] ?? 0) < uid) row++
    if (rows.uid[row] !== uid) return false
  }
  return true
}
