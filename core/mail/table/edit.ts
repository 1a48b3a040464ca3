import { MailError, SYSTEM, UNKNOWN, uids } from '../../api/index.js'
import type { Column, ColumnData, FlagChange, FlagSetId, Row, Rows, TableEdit, UidSet } from '../../api/index.js'
import type { Author, Notice } from './change-log.js'
import { FlagSets } from './flag-sets.js'
import { Generation } from './generation.js'
import { pairsOf, rowsOf } from './row-sets.js'
import type { Commit, MailTable } from './table.js'

type Cell = { readonly id: string; readonly kind: keyof ColumnData; readonly row: number; readonly old: number | string | undefined }

/**
 * One edit of a table. Values of rows that exist are written where they stand and their old values kept, so that an edit costs what it
 * changes; `drop` puts them back. New rows stand behind the committed ones, where no session looks; removals wait for `commit`.
 */
export class Edit implements TableEdit {
  stamp: string | undefined
  /** Makes flags true before messages are found by them. */
  beforeDeleted: (() => void) | undefined
  uidValidity: number
  uidNext: number
  readonly #table: MailTable
  readonly #author: Author | undefined
  readonly #byNumber: boolean
  readonly #done: () => void
  #generation: Generation
  #flagSets: FlagSets
  /** Rows below are committed. */
  #old: number
  readonly #oldGaps: number
  #open = true
  #reset = false
  readonly #flagRows: number[] = []
  readonly #flagOld: number[] = []
  readonly #sizeRows: number[] = []
  readonly #sizeOld: [size: number, date: number, zone: number, modseq: number][] = []
  readonly #cells: Cell[] = []
  #modseqRows: number[] = []
  /** Rows that a look within the edit had made differ when the first change was asked for: somebody else's doing. Undefined: none was asked for. */
  #foundRows: ReadonlySet<number> | undefined
  #highest = 0
  #removed: UidSet = uids.none
  #recentAdded: number[] = []
  #recentTaken: number[] = []
  #keywords: MailTable['keywords']
  readonly #notices: Notice[] = []
  readonly #tellWait: (text: string) => void

  constructor(table: MailTable, author: Author | undefined, byNumber: boolean, done: () => void, tellWait: (text: string) => void) {
    this.#table = table
    this.#tellWait = tellWait
    this.#byNumber = byNumber
    this.#author = author
    this.#done = done
    this.#generation = table.generation
    this.#flagSets = table.flagSets
    this.#old = table.length
    this.#oldGaps = table.generation.gaps
    this.#keywords = table.keywords
    this.stamp = table.stamp
    this.uidValidity = table.uidValidity
    this.uidNext = table.uidNext
  }
  get rows(): Rows {
    return this.#generation
  }
  /** What the edit has removed so far. */
  get removed(): UidSet {
    return this.#removed
  }
  get keywordsNow(): MailTable['keywords'] {
    return this.#keywords
  }
  /** Uids whose flags were written so far, whether or not they differ now. */
  touched(): UidSet {
    const rows = pairsOf(this.#flagRows)
    const uid = this.#generation.uid
    const list: number[] = []
    for (let i = 0; i < rows.length; i += 2) for (let row = rows[i]!; row <= rows[i + 1]!; row++) list.push(uid[row]!)
    for (let row = this.#old; row < this.#generation.length; row++) list.push(uid[row]!)
    return uids.from(list)
  }
  keywords(defined: readonly string[], canCreate: boolean, most?: number): void {
    this.#mustBeOpen()
    const old = this.#keywords
    if (old.canCreate === canCreate && old.most === most && old.defined.length === defined.length && defined.every((k, i) => k === old.defined[i])) return
    this.#keywords = { defined: [...defined], canCreate, ...(most !== undefined && { most }) }
  }
  flagSet(system: number, keywords: readonly string[]): FlagSetId {
    return this.#flagSets.of(system, keywords)
  }
  add(uid: number, flags: FlagSetId, recent: boolean): Row {
    this.#mustBeOpen()
    const g = this.#generation
    if (!Number.isInteger(uid) || uid < 1 || uid > 0xffffffff) throw new RangeError(`uid ${uid} is not a 32-bit number above 0`)
    if (g.length > 0 && uid <= g.uid[g.length - 1]!) throw new RangeError(`uid ${uid} does not ascend: the last one is ${g.uid[g.length - 1]!}`)
    const row = g.push(uid)
    g.flags[row] = flags
    if (recent) this.#recentAdded.push(uid)
    if (uid >= this.uidNext) this.uidNext = uid + 1
    return row
  }
  setFlags(row: Row, flags: FlagSetId): void {
    this.#mustBeOpen()
    const g = this.#generation
    const old = g.flags[this.#checked(row)]!
    if (old === flags) return
    if (row < this.#old) {
      this.#flagRows.push(row)
      this.#flagOld.push(old)
    }
    g.flags[row] = flags
  }
  setRecent(row: Row, recent: boolean): void {
    this.#mustBeOpen()
    const uid = this.#generation.uid[this.#checked(row)]!
    // What stood here before was given to somebody or is still waiting; it cannot become recent a second time.
    if (recent && row >= this.#old) this.#recentAdded.push(uid)
    if (!recent) this.#recentTaken.push(uid)
  }
  setSize(row: Row, octets: number): void {
    this.#measured(row)
    const g = this.#generation
    const gap = g.hasGap(row)
    g.size[row] = octets
    this.#gapClosed(row, gap)
  }
  setDate(row: Row, ms: number, zone: number): void {
    this.#measured(row)
    const g = this.#generation
    const gap = g.hasGap(row)
    g.date[row] = ms === UNKNOWN ? UNKNOWN + 1 : ms
    g.zone[row] = zone
    this.#gapClosed(row, gap)
  }
  setModseq(row: Row, modseq: number): void {
    this.#measured(row)
    if (row < this.#old && this.#generation.modseq[row] !== modseq) this.#modseqRows.push(row)
    this.#generation.modseq[row] = modseq
    if (modseq > this.#highest) this.#highest = modseq
  }
  set<K extends keyof ColumnData>(row: Row, column: Column<K>, value: ColumnData[K][number]): void {
    this.#mustBeOpen()
    const data = this.#generation.column(column)
    const old = data[this.#checked(row)]
    if (old === value) return
    if (row < this.#old) this.#cells.push({ id: column.id, kind: column.kind, row, old })
    data[row] = value
  }
  remove(set: UidSet): void {
    this.#mustBeOpen()
    const g = this.#generation
    // Of what is there now: `all` does not speak of rows that are added afterwards.
    if (g.length > 0) this.#removed = this.#removed.or(set.and(uids.ranges(Uint32Array.of(1, g.uid[g.length - 1]!))))
  }
  apply(change: FlagChange): { readonly changed: UidSet; readonly refused: UidSet } {
    this.#mustBeOpen()
    const g = this.#generation
    const next = this.#flagSets.changer({ ...change, keywords: this.#allowed(change) })
    const found = (this.#foundRows ??= new Set(this.#changedRows()))
    // What was found on the way gets a number above any that a client knows.
    const isNewer = (row: number, since: number): boolean => g.modseq[row]! > since || row >= this.#old || found.has(row)
    const changed: number[] = []
    const refused: number[] = []
    const { pairs } = rowsOf(g, change.uids, g.length)
    for (let i = 0; i < pairs.length; i += 2) {
      for (let row = pairs[i]!; row <= pairs[i + 1]!; row++) {
        if (change.unchangedSince !== undefined && isNewer(row, change.unchangedSince)) {
          refused.push(g.uid[row]!)
          continue
        }
        const old = g.flags[row]!
        const now = next(old)
        if (now === old) continue
        if (row < this.#old) {
          this.#flagRows.push(row)
          this.#flagOld.push(old)
        }
        g.flags[row] = now
        changed.push(g.uid[row]!)
      }
    }
    return { changed: uids.from(changed), refused: uids.from(refused) }
  }
  deleted(among: UidSet): UidSet {
    this.beforeDeleted?.()
    const g = this.#generation
    const out: number[] = []
    const { pairs } = rowsOf(g, among, g.length)
    for (let i = 0; i < pairs.length; i += 2) {
      for (let row = pairs[i]!; row <= pairs[i + 1]!; row++) {
        if ((g.flagSets[g.flags[row]!]!.system & SYSTEM.deleted) !== 0) out.push(g.uid[row]!)
      }
    }
    return uids.from(out).minus(this.#removed)
  }
  notice(severity: 'information' | 'warning', text: string): void {
    this.#mustBeOpen()
    this.#notices.push({ severity, text })
  }
  waits(text: string): void {
    this.#mustBeOpen()
    this.#tellWait(text)
  }
  reset(uidValidity: number): void {
    this.#mustBeOpen()
    this.#table.beganAnew = true
    // What was asked for by number meant other messages: nothing of it may be done. The next look begins anew.
    if (this.#byNumber) throw new MailError('vanished', 'the mailbox began anew')
    this.#restore()
    this.#reset = true
    this.#flagSets = new FlagSets()
    this.#generation = new Generation(this.#flagSets.list)
    this.#old = 0
    this.#removed = uids.none
    this.#recentAdded = []
    this.#recentTaken = []
    this.stamp = undefined
    this.uidValidity = uidValidity
    this.uidNext = 1
  }

  /** Whether it would get a mod-sequence. */
  get isNews(): boolean {
    return this.#generation.length > this.#old || this.#removed.count > 0 || this.#changedRows().length > 0
  }
  /** Makes the edit everybody's truth. */
  commit(): Commit {
    this.#mustBeOpen()
    this.#open = false
    const t = this.#table
    const g = this.#generation
    t.beganAnew = false
    if (this.#reset) this.#takeOver()
    const changedRows = this.#changedRows()
    const removedRows = this.#removed.count === 0 ? [] : rowsOf(g, this.#removed, g.length).pairs
    const arrived = g.length > this.#old ? uids.from(g.uid.subarray(this.#old, g.length)) : uids.none
    const modseq = this.#number(changedRows, removedRows.length > 0)
    for (const other of t.lagging) this.#tellLagging(other, changedRows)
    t.length = g.length
    if (t.stamp !== this.stamp) t.unsaved++
    t.stamp = this.stamp
    t.uidValidity = this.uidValidity
    t.uidNext = Math.max(this.uidNext, g.length > 0 ? g.uid[g.length - 1]! + 1 : 1)
    // Not the value from the beginning: sessions may have been given messages meanwhile.
    t.unclaimed = t.unclaimed.or(setOf(this.#recentAdded)).minus(setOf(this.#recentTaken))
    const changed = uids.from(changedRows.map((row) => g.uid[row]!))
    this.#writeLog(changed, uids.from(changedRows.filter((row) => this.#foundRows?.has(row)).map((row) => g.uid[row]!)))
    const removed = removedRows.length > 0 ? this.#startGeneration(Uint32Array.from(removedRows)) : uids.none
    const news = changed.count + arrived.count + removed.count > 0
    if (news || this.#reset) t.version++
    if (news || this.#reset || this.#sizeRows.length + this.#cells.length > 0) t.unsaved++
    this.#done()
    return { changed: changed.minus(removed), arrived: arrived.minus(removed), removed, reset: this.#reset, modseq }
  }
  /** Makes the edit not have been, and leaves nothing for the driver to trust. Closed edits are left alone. */
  drop(): void {
    if (!this.#open) return
    this.#open = false
    const touched = this.#reset ? uids.none : uids.from(this.#changedRows().map((row) => this.#generation.uid[row]!))
    this.#restore()
    this.#table.stamp = undefined
    // Somebody may have fetched the flags while the operation was under way; they are told how it ended.
    if (touched.count > 0) {
      this.#table.log.at(undefined, this.#table.slowestMark).add(touched)
      this.#table.version++
    }
    this.#done()
  }

  #restore(): void {
    if (this.#reset) return
    const g = this.#generation
    for (let i = this.#flagRows.length - 1; i >= 0; i--) g.flags[this.#flagRows[i]!] = this.#flagOld[i]!
    for (let i = this.#sizeRows.length - 1; i >= 0; i--) {
      const row = this.#sizeRows[i]!
      const [size, date, zone, modseq] = this.#sizeOld[i]!
      g.size[row] = size
      g.date[row] = date
      g.zone[row] = zone
      g.modseq[row] = modseq
    }
    for (let i = this.#cells.length - 1; i >= 0; i--) {
      const { id, kind, row, old } = this.#cells[i]!
      g.column({ id, kind })[row] = old as never
    }
    for (const list of [this.#flagRows, this.#flagOld, this.#sizeRows, this.#sizeOld, this.#cells, this.#modseqRows]) list.length = 0
    g.cut(this.#old, this.#oldGaps)
  }
  /** Rows below `#old` whose flags differ from what they were, or that the source numbered anew; ascending. */
  #changedRows(): number[] {
    const g = this.#generation
    const rows = this.#flagRows
    let ascending = true
    for (let i = 1; i < rows.length && ascending; i++) ascending = rows[i - 1]! < rows[i]!
    let out: number[]
    if (ascending) out = rows.slice()
    else {
      const first = new Map<number, number>()
      for (let i = 0; i < rows.length; i++) if (!first.has(rows[i]!)) first.set(rows[i]!, this.#flagOld[i]!)
      out = [...first].filter(([row, old]) => g.flags[row] !== old).map(([row]) => row)
      out.sort((a, b) => a - b)
    }
    if (this.#modseqRows.length === 0) return out
    return [...new Set([...out, ...this.#modseqRows])].sort((a, b) => a - b)
  }
  #number(changedRows: readonly number[], removing: boolean): number {
    const t = this.#table
    const g = this.#generation
    if (t.ownModseqs) {
      t.highestModseq = Math.max(t.highestModseq, this.#highest)
      return t.highestModseq
    }
    if (changedRows.length === 0 && g.length === this.#old && !removing) return 0
    const modseq = t.nextModseq()
    t.highestModseq = modseq
    for (const row of changedRows) g.modseq[row] = modseq
    for (let row = this.#old; row < g.length; row++) g.modseq[row] = modseq
    return modseq
  }
  #tellLagging(other: Generation, changedRows: readonly number[]): void {
    const g = this.#generation
    for (const row of changedRows) copyTo(other, g, row)
    for (const row of this.#sizeRows) copyTo(other, g, row)
    for (let row = this.#old; row < g.length; row++) other.pushCopy(g, row)
  }
  #writeLog(changed: UidSet, found: UidSet): void {
    const t = this.#table
    const newKeywords = t.keywords !== this.#keywords
    t.keywords = this.#keywords
    if (changed.count === 0 && this.#notices.length === 0 && !newKeywords) return
    t.version++
    const own = this.#author === undefined ? changed : changed.minus(found)
    if (own.count > 0) t.log.at(this.#author, t.slowestMark).add(own)
    // What others did, notices and new keywords are for the author too.
    const others = this.#author !== undefined && found.count > 0
    if (!others && this.#notices.length === 0 && !newKeywords) return
    const node = t.log.at(undefined, t.slowestMark)
    if (others) node.add(found)
    node.notices = [...node.notices, ...this.#notices]
    if (newKeywords) node.keywords = true
  }
  #startGeneration(dropped: Uint32Array): UidSet {
    const t = this.#table
    const old = this.#generation
    const list: number[] = []
    for (let i = 0; i < dropped.length; i += 2) for (let row = dropped[i]!; row <= dropped[i + 1]!; row++) list.push(old.uid[row]!)
    const removed = uids.from(list)
    const next = old.without(dropped)
    old.next = { generation: next, removed }
    if (old.views > 0) t.lagging.add(old)
    t.generation = next
    t.length = next.length
    t.unclaimed = t.unclaimed.minus(removed)
    return removed
  }
  #takeOver(): void {
    const t = this.#table
    t.flagSets = this.#flagSets
    t.generation = this.#generation
    t.length = 0
    t.epoch++
    t.unclaimed = uids.none
    t.lagging.clear()
  }
  /** Keywords that this mailbox can keep; new ones are defined on the way where that is possible. */
  #allowed(change: FlagChange): readonly string[] {
    if (change.keywords.length === 0 || change.how === 'remove') return change.keywords
    const known = new Set(this.#keywords.defined.map((k) => k.toLowerCase()))
    const fresh = change.keywords.filter((k) => !known.has(k.toLowerCase()))
    if (fresh.length === 0) return change.keywords
    if (!this.#keywords.canCreate) return change.keywords.filter((k) => known.has(k.toLowerCase()))
    const { most = Number.POSITIVE_INFINITY } = this.#keywords
    const spelled = [...new Set(fresh.map((k) => this.#flagSets.keyword(k).name))].slice(0, Math.max(0, most - known.size))
    const defined = [...this.#keywords.defined, ...spelled]
    this.#keywords = { ...this.#keywords, defined, canCreate: defined.length < most }
    for (const word of spelled) known.add(word.toLowerCase())
    return change.keywords.filter((k) => known.has(k.toLowerCase()))
  }
  #measured(row: Row): void {
    this.#mustBeOpen()
    this.#checked(row)
    if (row >= this.#old) return
    const g = this.#generation
    this.#sizeRows.push(row)
    this.#sizeOld.push([g.size[row]!, g.date[row]!, g.zone[row]!, g.modseq[row]!])
  }
  #gapClosed(row: Row, gapBefore: boolean): void {
    const gap = this.#generation.hasGap(row)
    if (gapBefore !== gap) this.#generation.gaps += gap ? 1 : -1
  }
  #checked(row: number): number {
    if (!(row >= 0 && row < this.#generation.length)) throw new RangeError(`row ${row} is not in the mailbox`)
    return row
  }
  #mustBeOpen(): void {
    if (!this.#open) throw new Error('the edit was used after its operation ended')
  }
}

function setOf(numbers: number[]): UidSet {
  return numbers.length === 0 ? uids.none : uids.ranges(Uint32Array.from(pairsOf(numbers)))
}
function copyTo(other: Generation, from: Generation, row: number): void {
  const here = other.find(from.uid[row]!)
  if (here !== -1) other.copyCommon(from, row, here)
}
