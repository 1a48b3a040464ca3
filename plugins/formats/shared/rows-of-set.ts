import type { Row, Rows, UidSet } from 'mailwright/api'

/** Rows of the set's messages, ascending. Looks at those alone: one message of a large mailbox costs no walk through the others. */
export function* rowsOfSet(rows: Rows, { ranges }: UidSet): Generator<Row> {
  let row = 0
  for (let r = 0; r + 1 < ranges.length; r += 2) {
    const last = ranges[r + 1] ?? 0
    row = firstFrom(rows.uid, rows.length, ranges[r] ?? 0, row)
    // A row number is an index of the table.
    for (; row < rows.length && (rows.uid[row] ?? 0) <= last; row++) yield row as Row
  }
}

/** Index of the first of the `length` ascending uids, from `low` on, that is not below the one that is wanted; `length`: there is none. */
export function firstFrom(uid: Uint32Array, length: number, wanted: number, low = 0): number {
  let from = low
  let end = length
  while (from < end) {
    const middle = (from + end) >>> 1
    if ((uid[middle] ?? 0) < wanted) from = middle + 1
    else end = middle
  }
  return from
}
