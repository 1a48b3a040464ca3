import { UNKNOWN, type Column, type ColumnData, type FlagSet, type Row, type Rows, type UidSet } from '../../api/index.js'

const FIRST_CAPACITY = 16
/** To copy fewer one by one is cheaper than the two objects that it takes to copy them at once. */
const FEW_ROWS = 32

function emptyColumn<K extends keyof ColumnData>(kind: K, capacity: number): ColumnData[K] {
  const made = kind === 'u32' ? new Uint32Array(capacity) : kind === 'f64' ? new Float64Array(capacity) : []
  // `kind` decides the type, one branch per key of ColumnData.
  return made as ColumnData[K]
}
function grown<T extends Uint32Array | Float64Array | Int16Array>(old: T, capacity: number): T {
  // A typed array's constructor makes its own kind.
  const made = new (old.constructor as new (n: number) => T)(capacity)
  made.set(old as never)
  return made
}

/**
 * Index of the first of the `length` ascending numbers that is at least `uid`, not before `from`. Near `from` it is found in a few steps,
 * so that a walk with ascending uids is a merge.
 */
export function lowerBound(column: Uint32Array, length: number, uid: number, from = 0): number {
  let low = from
  let high = length
  for (let step = 1; low + step < high; step *= 2) {
    if (column[low + step - 1]! >= uid) {
      high = low + step - 1
      break
    }
    low += step
  }
  while (low < high) {
    const middle = (low + high) >>> 1
    if (column[middle]! < uid) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * The columns of one generation. Only the table and its edits write. `next` leads to the generation that an expunge started: what a
 * session that stays behind has not been told is the sum of `removed` on the way, and generations nobody stands on are garbage.
 */
export class Generation implements Rows {
  length = 0
  uid = new Uint32Array(FIRST_CAPACITY)
  flags = new Uint32Array(FIRST_CAPACITY)
  size = new Uint32Array(FIRST_CAPACITY)
  date = new Float64Array(FIRST_CAPACITY)
  zone = new Int16Array(FIRST_CAPACITY)
  modseq = new Float64Array(FIRST_CAPACITY)
  gaps = 0
  /** Sessions that stand here. */
  views = 0
  next: { readonly generation: Generation; readonly removed: UidSet } | undefined
  /** Row of the uid that was found last. */
  #found = 0
  readonly flagSets: readonly FlagSet[]
  readonly extra = new Map<string, { readonly kind: keyof ColumnData; data: ColumnData[keyof ColumnData] }>()

  constructor(flagSets: readonly FlagSet[]) {
    this.flagSets = flagSets
  }
  column<K extends keyof ColumnData>(c: Column<K>): ColumnData[K] {
    let own = this.extra.get(c.id)
    if (own === undefined || own.kind !== c.kind) {
      own = { kind: c.kind, data: emptyColumn(c.kind, this.uid.length) }
      this.extra.set(c.id, own)
    }
    // `kind` was compared or given above.
    return own.data as ColumnData[K]
  }
  find(uid: number): Row | -1 {
    // A walk with ascending uids goes on from where it was.
    const last = this.#found < this.length && this.uid[this.#found]! <= uid ? this.#found : 0
    const at = lowerBound(this.uid, this.length, uid, last)
    if (at === this.length || this.uid[at] !== uid) return -1
    this.#found = at
    // A row is an index below `length`.
    return at as Row
  }
  hasGap(row: number): boolean {
    return this.size[row] === UNKNOWN || this.date[row] === UNKNOWN
  }
  reserve(capacity: number): void {
    if (capacity <= this.uid.length) return
    const wanted = Math.max(capacity, this.uid.length * 2, FIRST_CAPACITY)
    this.uid = grown(this.uid, wanted)
    this.flags = grown(this.flags, wanted)
    this.size = grown(this.size, wanted)
    this.date = grown(this.date, wanted)
    this.zone = grown(this.zone, wanted)
    this.modseq = grown(this.modseq, wanted)
    for (const own of this.extra.values()) if (!Array.isArray(own.data)) own.data = grown(own.data, wanted)
  }
  /** A new last row, everything but the uid unknown or zero. */
  push(uid: number): Row {
    this.reserve(this.length + 1)
    const row = this.length++
    this.uid[row] = uid
    this.flags[row] = 0
    this.size[row] = UNKNOWN
    this.date[row] = UNKNOWN
    this.zone[row] = 0
    this.modseq[row] = 0
    for (const own of this.extra.values()) own.data[row] = Array.isArray(own.data) ? undefined : 0
    this.gaps++
    // A row is an index below `length`.
    return row as Row
  }
  /** The same message as a row of another generation; private columns too. */
  pushCopy(from: Generation, row: number): void {
    const here = this.push(from.uid[row]!)
    this.copyCommon(from, row, here)
    for (const [id, own] of from.extra) this.column({ id, kind: own.kind })[here] = own.data[row]!
  }
  /** What is news to nobody: flags, mod-sequence, size and date of a row, from another generation. */
  copyCommon(from: Generation, row: number, here: number): void {
    const gap = this.hasGap(here)
    this.flags[here] = from.flags[row]!
    this.size[here] = from.size[row]!
    this.date[here] = from.date[row]!
    this.zone[here] = from.zone[row]!
    this.modseq[here] = from.modseq[row]!
    if (gap && !this.hasGap(here)) this.gaps--
  }
  /** Forgets the rows from `length` on. */
  cut(length: number, gaps: number): void {
    this.length = length
    this.gaps = gaps
    for (const own of this.extra.values()) if (Array.isArray(own.data) && own.data.length > length) own.data.length = length
  }
  /** The rows that remain, moved together into arrays of their own. `dropped` are ascending pairs of rows. */
  without(dropped: Uint32Array): Generation {
    const next = new Generation(this.flagSets)
    const kept: number[] = []
    let at = 0
    let gapsLost = 0
    for (let i = 0; i < dropped.length; i += 2) {
      if (dropped[i]! > at) kept.push(at, dropped[i]!)
      at = dropped[i + 1]! + 1
      if (this.gaps > 0) for (let row = dropped[i]!; row < at; row++) if (this.hasGap(row)) gapsLost++
    }
    if (at < this.length) kept.push(at, this.length)
    let length = 0
    for (let i = 0; i < kept.length; i += 2) length += kept[i + 1]! - kept[i]!
    next.reserve(length)
    next.length = length
    next.gaps = this.gaps - gapsLost
    const move = <T extends Uint32Array | Float64Array | Int16Array>(from: T, to: T): void => {
      let end = 0
      for (let i = 0; i < kept.length; i += 2) {
        const first = kept[i]!
        const after = kept[i + 1]!
        if (after - first < FEW_ROWS) for (let row = first; row < after; row++) to[end++] = from[row]!
        else {
          to.set(from.subarray(first, after) as never, end)
          end += after - first
        }
      }
    }
    move(this.uid, next.uid)
    move(this.flags, next.flags)
    move(this.size, next.size)
    move(this.date, next.date)
    move(this.zone, next.zone)
    move(this.modseq, next.modseq)
    for (const [id, own] of this.extra) {
      const data = own.data
      if (Array.isArray(data)) {
        const words: (string | undefined)[] = []
        for (let i = 0; i < kept.length; i += 2) for (let row = kept[i]!; row < kept[i + 1]!; row++) words.push(data[row])
        next.extra.set(id, { kind: own.kind, data: words })
      } else if (data instanceof Uint32Array) {
        const moved = next.column({ id, kind: 'u32' })
        move(data, moved)
      } else {
        const moved = next.column({ id, kind: 'f64' })
        move(data, moved)
      }
    }
    return next
  }
}
