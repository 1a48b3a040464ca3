import { uids, type Row, type TableEdit } from 'mailwright/api'
import type { FlagReader } from './flags.js'
import { FILED, FORM, FORM_OF, type Layout } from './layout.js'
import type { Scanned } from './scan.js'

/*
 * What a scan of the file found, taken into the table. `filed` of a layout tells afterwards whether flags were changed in the file, or here.
 */

/** A mailbox that grew: the tail begins with the last message that was known, which may have got its end since. */
export function takeTail(tail: Scanned, layout: Layout, edit: TableEdit, reader: FlagReader): void {
  const first = layout.count > 0 ? layout.count - 1 : 0
  if (layout.count > 0) layout.count--
  for (let i = 0; i < tail.layout.count; i++) {
    const at = layout.push(tail.layout.place(i))
    if (first + i !== at) throw new Error('the tail does not continue the mailbox')
    enter(tail, i, layout, at, edit.rows.find(layout.at(at, layout.uid)), edit, reader)
  }
  layout.end = tail.stopped
}

/** All of the mailbox; messages of the table that it does not have are removed. */
export function takeAll(all: Scanned, edit: TableEdit, reader: FlagReader): void {
  const { layout } = all
  const gone: number[] = []
  let row = 0
  const before = edit.rows.length
  for (let i = 0; i < layout.count; i++) {
    const uid = layout.at(i, layout.uid)
    while (row < before && (edit.rows.uid[row] ?? 0) < uid) gone.push(edit.rows.uid[row++] ?? 0)
    const there = row < before && edit.rows.uid[row] === uid
    // A row number is an index of the table.
    enter(all, i, layout, i, there ? (row as Row) : -1, edit, reader)
    if (there) row++
  }
  while (row < before) gone.push(edit.rows.uid[row++] ?? 0)
  if (gone.length > 0) edit.remove(uids.from(gone))
}

/** One scanned message into its row, or a new one. */
function enter(from: Scanned, i: number, layout: Layout, at: number, row: Row | -1, edit: TableEdit, reader: FlagReader): void {
  const { id, filed } = reader.read(from.bits[i] ?? 0, from.words[i] ?? [])
  const recent = !layout.has(at, FORM.old)
  layout.filed[at] = filed
  if (row === -1) {
    const added = edit.add(layout.at(at, layout.uid), id, recent)
    edit.setSize(added, layout.at(at, layout.size))
    edit.setDate(added, from.ms[i] ?? 0, from.zone[i] ?? 0)
    layout.save(at, added, edit)
    return
  }
  if (edit.rows.column(FILED)[row] !== filed) edit.setFlags(row, id)
  if (!recent && ((edit.rows.column(FORM_OF)[row] ?? 0) & FORM.old) === 0) edit.setRecent(row, false)
  // What the file does not say of its date stays as it was first told.
  if (!layout.has(at, FORM.undated) && edit.rows.date[row] !== from.ms[i]) edit.setDate(row, from.ms[i] ?? 0, from.zone[i] ?? 0)
  layout.save(at, row, edit)
}
