import { createColumn, type Column, type Row, type Rows, type TableEdit } from 'mailwright/api'
import { firstFrom } from '../rows-of-set.js'

/** What is known of the file's form of a message; bits of the `state` column. */
export const FORM = {
  /** Its X-UID stands in the file. */
  numbered: 1,
  /** `O` stands in the file: somebody has seen that it came. */
  old: 2,
  hasCr: 4,
  /** What separates it from the next is there. */
  separated: 8,
  /** The internal lines have the length that a rewrite would give them. */
  canonical: 16,
  /** Nothing in the file says when it came. */
  undated: 32,
} as const

/** Numbers kept per message, in the order of the file. */
export interface Place {
  uid: number
  /** Of delimiter or From line. */
  offset: number
  /** Octets before the text, delimiter and From line included. */
  head: number
  /** The same with the text. */
  length: number
  /** CRLF octets of the header that a client sees, with its empty line. */
  header: number
  /** CRLF octets of the whole. */
  size: number
  form: number
  /** Flags as the file has them, see `filedFlags`. */
  filed: number
  print: number
}

const OFFSET = createColumn('text.offset', 'f64')
const U32 = {
  head: createColumn('text.head', 'u32'),
  length: createColumn('text.length', 'u32'),
  header: createColumn('text.header', 'u32'),
  form: createColumn('text.form', 'u32'),
  filed: createColumn('text.filed', 'u32'),
  print: createColumn('text.print', 'u32'),
} as const
/** Flags as the file has them, and its form, of rows that are in the table. */
export const FILED = U32.filed
export const FORM_OF = U32.form
/** Kept by core with the common columns, so that an unchanged mailbox is not parsed after a restart. */
export const COLUMNS: readonly (Column<'u32'> | Column<'f64'>)[] = [OFFSET, ...Object.values(U32)]

/**
 * Where the messages of a mailbox file are. It always describes the file as last seen, while the rows of a lagging
 * session may describe an older one; readers find messages here, by uid.
 */
export class Layout {
  count = 0
  uid: Uint32Array = new Uint32Array(64)
  offset: Float64Array = new Float64Array(64)
  head: Uint32Array = new Uint32Array(64)
  length: Uint32Array = new Uint32Array(64)
  header: Uint32Array = new Uint32Array(64)
  size: Uint32Array = new Uint32Array(64)
  form: Uint32Array = new Uint32Array(64)
  filed: Uint32Array = new Uint32Array(64)
  print: Uint32Array = new Uint32Array(64)
  /** Where the last message ends. */
  end = 0

  push(p: Place): number {
    if (this.count === this.uid.length) this.#grow()
    const i = this.count++
    this.uid[i] = p.uid
    this.put(i, p)
    return i
  }
  put(i: number, p: Omit<Place, 'uid'>): void {
    this.offset[i] = p.offset
    this.head[i] = p.head
    this.length[i] = p.length
    this.header[i] = p.header
    this.size[i] = p.size
    this.form[i] = p.form
    this.filed[i] = p.filed
    this.print[i] = p.print
  }
  #grow(): void {
    const wider = <T extends Uint32Array | Float64Array>(old: T, empty: T): T => {
      empty.set(old)
      return empty
    }
    const n = 2 * this.uid.length
    this.offset = wider(this.offset, new Float64Array(n))
    for (const name of ['uid', 'head', 'length', 'header', 'size', 'form', 'filed', 'print'] as const) this[name] = wider(this[name], new Uint32Array(n))
  }

  /** Appends messages `[i, j)` of another layout, moved by so many octets. */
  append(from: Layout, i: number, j: number, moved: number): void {
    const n = j - i
    while (this.uid.length < this.count + n) this.#grow()
    for (const name of ['uid', 'head', 'length', 'header', 'size', 'form', 'filed', 'print'] as const) this[name].set(from[name].subarray(i, j), this.count)
    this.offset.set(from.offset.subarray(i, j), this.count)
    if (moved !== 0) for (let k = this.count; k < this.count + n; k++) this.offset[k] = (this.offset[k] ?? 0) + moved
    this.count += n
  }

  readonly #settled = new Map<number, number>()
  /** Whether some message lacks one of these forms. Those that were found to have them are not looked at again. */
  lacks(form: number): boolean {
    const { count, form: forms } = this
    let i = Math.min(this.#settled.get(form) ?? 0, count)
    // All of a mailbox that is opened, mostly before the loop is compiled: nothing is called in it.
    while (i < count && ((forms[i] ?? 0) & form) === form) i++
    this.#settled.set(form, i)
    return i < count
  }

  /** Index of a message, or -1. */
  find(uid: number): number {
    const i = this.firstFrom(uid)
    return i < this.count && this.uid[i] === uid ? i : -1
  }
  /** Index of the first message with this number or a higher one. */
  firstFrom(uid: number): number {
    return firstFrom(this.uid, this.count, uid)
  }
  place(i: number): Place {
    const of = (array: Uint32Array | Float64Array): number => this.at(i, array)
    return {
      uid: of(this.uid), offset: of(this.offset), head: of(this.head), length: of(this.length), header: of(this.header), size: of(this.size), form: of(this.form),
      filed: of(this.filed), print: of(this.print),
    }
  }
  at(i: number, array: Uint32Array | Float64Array): number {
    return array[i] ?? 0
  }
  /** Where message `i` ends, with what separates it from the next. */
  endOf(i: number): number {
    return i + 1 < this.count ? (this.offset[i + 1] ?? 0) : this.end
  }
  has(i: number, form: number): boolean {
    return ((this.form[i] ?? 0) & form) === form
  }

  /** Of rows that core restored or keeps. */
  static of(rows: Rows, end: number): Layout {
    const out = new Layout()
    const n = rows.length
    const capacity = Math.max(n, 64)
    const part = (column: Uint32Array): Uint32Array => {
      const copy = new Uint32Array(capacity)
      copy.set(column.subarray(0, n))
      return copy
    }
    out.count = n
    out.uid = part(rows.uid)
    out.size = part(rows.size)
    out.offset = new Float64Array(capacity)
    out.offset.set(rows.column(OFFSET).subarray(0, n))
    for (const name of ['head', 'length', 'header', 'form', 'filed', 'print'] as const) out[name] = part(rows.column(U32[name]))
    out.end = end
    return out
  }
  /** Writes message `i` into a row. */
  save(i: number, row: Row, edit: TableEdit): void {
    edit.set(row, OFFSET, this.at(i, this.offset))
    edit.set(row, U32.head, this.at(i, this.head))
    edit.set(row, U32.length, this.at(i, this.length))
    edit.set(row, U32.header, this.at(i, this.header))
    edit.set(row, U32.form, this.at(i, this.form))
    edit.set(row, U32.filed, this.at(i, this.filed))
    edit.set(row, U32.print, this.at(i, this.print))
    if (edit.rows.size[row] !== this.size[i]) edit.setSize(row, this.at(i, this.size))
  }
}
