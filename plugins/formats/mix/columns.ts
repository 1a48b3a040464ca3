import { createColumn, type Column, type Row, type Rows, type TableEdit } from 'mailwright/api'

/** Kept by core with the common columns, so that an unchanged mailbox is not parsed after a restart. */
export const FILE = createColumn('mix.file', 'u32')
export const AT = createColumn('mix.at', 'u32')
export const INTERNAL = createColumn('mix.internal', 'u32')
export const HEADER = createColumn('mix.header', 'u32')
/** Where its line begins in the index. */
export const LINE = createColumn('mix.line', 'u32')
/** Where its line begins in the status file; 0: it has none. */
export const STATUS = createColumn('mix.status', 'u32')
/** Somebody has seen that it came, by the status file. */
export const SEEN = createColumn('mix.old', 'u32')
export const COLUMNS: readonly Column<'u32'>[] = [FILE, AT, INTERNAL, HEADER, LINE, STATUS, SEEN]

/** Where the octets of a message are. */
export interface Place {
  readonly file: number
  readonly at: number
  readonly internal: number
  readonly header: number
}
export function placeOf(rows: Rows, row: number): Place {
  return { file: rows.column(FILE)[row] ?? 0, at: rows.column(AT)[row] ?? 0, internal: rows.column(INTERNAL)[row] ?? 0, header: rows.column(HEADER)[row] ?? 0 }
}
export function setPlace(edit: TableEdit, row: Row, place: Place): void {
  edit.set(row, FILE, place.file)
  edit.set(row, AT, place.at)
  edit.set(row, INTERNAL, place.internal)
  edit.set(row, HEADER, place.header)
}
