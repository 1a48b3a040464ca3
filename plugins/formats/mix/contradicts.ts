import type { Rows } from 'mailwright/api'
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
