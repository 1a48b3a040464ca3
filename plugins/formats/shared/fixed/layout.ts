import { createColumn, type Column, type Row, type Rows, type TableEdit, type UidSet } from 'mailwright/api'
import { firstFrom } from '../rows-of-set.js'

/** What stands in the file of a message; bits of the `form` column. */
export const FORM = {
  /** Its number. */
  numbered: 1,
  /** That somebody has seen that it came. */
  old: 2,
} as const

const FORMS = [0, FORM.numbered, FORM.old, FORM.numbered | FORM.old]

/** Where a message is. */
export interface Place {
  uid: number
  /** Of its line. */
  offset: number
  /** Octets of the line, its end included. */
  line: number
  /** Octets behind the line. */
  stored: number
  /** As a client sees it: octets of the header with its empty line; 0: not known yet. */
  header: number
  /** As a client sees it: octets of the whole. */
  size: number
  form: number
}

const OFFSET = createColumn('fixed.offset', 'f64')
const U32 = {
  line: createColumn('fixed.line', 'u32'),
  stored: createColumn('fixed.stored', 'u32'),
  header: createColumn('fixed.header', 'u32'),
  form: createColumn('fixed.form', 'u32'),
} as const
const NUMBERS = ['uid', 'line', 'stored', 'header', 'size', 'form'] as const
/** Kept by core with the common columns, so that an unchanged mailbox is not parsed after a restart. */
export const COLUMNS: readonly (Column<'u32'> | Column<'f64'>)[] = [OFFSET, ...Object.values(U32)]

/** To copy fewer one by one is cheaper than the object that it takes to copy them at once. */
const FEW = 32

/** Place of a row, as its generation knew it. */
export function placeOfRow(rows: Rows, row: number): Place {
  const at = (column: Uint32Array | Float64Array): number => column[row] ?? 0
  return {
    uid: at(rows.uid), offset: at(rows.column(OFFSET)), line: at(rows.column(U32.line)), stored: at(rows.column(U32.stored)),
    header: at(rows.column(U32.header)), size: at(rows.size), form: at(rows.column(U32.form)),
  }
}

/** Where the messages of a mailbox file are now, ascending by uid and by place. Hidden ones are not among them. */
export class Layout {
  count = 0
  uid: Uint32Array = new Uint32Array(64)
  offset: Float64Array = new Float64Array(64)
  line: Uint32Array = new Uint32Array(64)
  stored: Uint32Array = new Uint32Array(64)
  header: Uint32Array = new Uint32Array(64)
  size: Uint32Array = new Uint32Array(64)
  form: Uint32Array = new Uint32Array(64)
  /** Undefined: to be summed up. */
  #octets: number | undefined = 0

  push(p: Place): number {
    if (this.count === this.uid.length) this.#grow(2 * this.count)
    const i = this.count++
    this.offset[i] = p.offset
    for (const name of NUMBERS) this[name][i] = p[name]
    if (this.#octets !== undefined) this.#octets += p.line + p.stored
    return i
  }
  #grow(n: number): void {
    const wider = <T extends Uint32Array | Float64Array>(old: T, empty: T): T => {
      empty.set(old)
      return empty
    }
    this.offset = wider(this.offset, new Float64Array(n))
    for (const name of NUMBERS) this[name] = wider(this[name], new Uint32Array(n))
  }
  place(i: number): Place {
    return { uid: this.at('uid', i), offset: this.at('offset', i), line: this.at('line', i), stored: this.at('stored', i), header: this.at('header', i), size: this.at('size', i), form: this.at('form', i) }
  }
  at(name: (typeof NUMBERS)[number] | 'offset', i: number): number {
    return this[name][i] ?? 0
  }
  /** Index behind the message's last octet. */
  endOf(i: number): number {
    return this.at('offset', i) + this.at('line', i) + this.at('stored', i)
  }
  has(i: number, form: number): boolean {
    return (this.at('form', i) & form) === form
  }
  readonly #settled = new Map<number, number>()
  /** Another form of a message; one that lost something is looked at again by `lacks`. */
  reform(i: number, form: number): void {
    const lost = this.at('form', i) & ~form
    this.form[i] = form
    if (lost === 0) return
    for (const [wanted, to] of this.#settled) if ((wanted & lost) !== 0 && to > i) this.#settled.set(wanted, i)
  }
  /** Whether some message lacks one of these forms. Those that were found to have them are not looked at again. */
  lacks(form: number): boolean {
    const from = Math.min(this.#settled.get(form) ?? 0, this.count)
    let first = this.count
    // One call for each form that lacks some, none for each message: the first SELECT of a process runs this when nothing is compiled.
    for (const lacking of FORMS) {
      if ((lacking & form) === form) continue
      const i = this.form.subarray(from, first).indexOf(lacking)
      if (i !== -1) first = from + i
    }
    this.#settled.set(form, first)
    return first < this.count
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
  /** Indices of the set's messages. */
  *indices(set: UidSet): Generator<number> {
    const { ranges } = set
    for (let r = 0; r + 1 < ranges.length; r += 2) {
      const last = ranges[r + 1] ?? 0
      for (let i = this.firstFrom(ranges[r] ?? 0); i < this.count && this.at('uid', i) <= last; i++) yield i
    }
  }
  /** What is left when some go; many neighbours that stay are copied together. */
  without(gone: UidSet): Layout {
    const out = new Layout()
    if (this.count > 64) out.#grow(this.count)
    const runs: number[] = []
    let from = 0
    let left = this.octets
    for (const i of this.indices(gone)) {
      left -= this.at('line', i) + this.at('stored', i)
      if (i > from) runs.push(from, i)
      from = i + 1
    }
    if (from < this.count) runs.push(from, this.count)
    out.#octets = left
    const copy = (column: Uint32Array | Float64Array, to: Uint32Array | Float64Array): void => {
      let end = 0
      for (let r = 0; r + 1 < runs.length; r += 2) {
        const first = runs[r] ?? 0
        const after = runs[r + 1] ?? 0
        if (after - first < FEW) for (let i = first; i < after; i++) to[end++] = column[i] ?? 0
        else {
          to.set(column.subarray(first, after), end)
          end += after - first
        }
      }
      out.count = end
    }
    copy(this.offset, out.offset)
    for (const name of NUMBERS) copy(this[name], out[name])
    return out
  }
  /** What stays when messages are moved together. */
  moved(keep: (i: number) => boolean, to: Float64Array): Layout {
    const out = new Layout()
    let octets = 0
    if (this.count > 64) out.#grow(this.count)
    for (let i = 0; i < this.count; i++) {
      if (!keep(i)) continue
      const at = out.count++
      out.offset[at] = to[i] ?? 0
      for (const name of NUMBERS) out[name][at] = this[name][i] ?? 0
      octets += this.at('line', i) + this.at('stored', i)
    }
    out.#octets = octets
    return out
  }
  /** Octets of the messages, lines included. */
  get octets(): number {
    return (this.#octets ??= this.#summed())
  }
  /** The same, where it need not be summed up. */
  get knownOctets(): number | undefined {
    return this.#octets
  }
  #summed(): number {
    const { count, line, stored } = this
    let sum = 0
    for (let i = 0; i < count; i++) sum += (line[i] ?? 0) + (stored[i] ?? 0)
    return sum
  }

  /** Of rows that core restored or keeps. `octets`: theirs, where that is known. */
  static of(rows: Rows, octets: number | undefined): Layout {
    const out = new Layout()
    out.#octets = octets
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
    for (const name of ['line', 'stored', 'header', 'form'] as const) out[name] = part(rows.column(U32[name]))
    return out
  }
  /** Writes message `i` into a row. */
  save(i: number, row: Row, edit: TableEdit): void {
    edit.set(row, OFFSET, this.at('offset', i))
    for (const name of ['line', 'stored', 'header', 'form'] as const) edit.set(row, U32[name], this.at(name, i))
    if (edit.rows.size[row] !== this.size[i]) edit.setSize(row, this.at('size', i))
  }
}
