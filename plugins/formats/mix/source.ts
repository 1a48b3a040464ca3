import {
  MailError, uids, type FileStat, type FlagChange, type FlagSetId, type MailboxSource, type Row, type Rows, type SourceTraits, type StoredMessage, type TableEdit,
  type UidSet, type Wants,
} from 'mailwright/api'
import { fitsRows } from '../shared/fits-rows.js'
import { KeywordBits } from '../shared/keyword-bits.js'
import { waitsOf } from '../shared/locks/wait-lines.js'
import { rowsOfSet } from '../shared/rows-of-set.js'
import { AT, COLUMNS, FILE, INTERNAL, LINE, SEEN, setPlace, STATUS, type Place } from './columns.js'
import type { MixContext } from './context.js'
import { holdings, NOTHING, type Holding } from './data-use.js'
import { NAMES, type Change, type Held, type MixFolder } from './folder.js'
import { withoutLines } from './index-lines.js'
import { readMessages } from './reading.js'
import { reclaim } from './reclaim.js'
import { putStatusLine } from './put-records.js'
import { OLD, parseIndex, parseStatus, SEQUENCE_OCTETS, STATUS_OCTETS, SYSTEM_BITS, type IndexTable } from './records.js'
import { CONTROLS, type Patch, type Sequences } from './redo.js'

/** The state of the files that rows and columns describe. */
interface State {
  readonly inode: number
  readonly sequences: Sequences
  readonly indexSize: number
  readonly statusSize: number
  /** Behind the last whole line: what follows was begun by a program that did not finish it. */
  readonly indexEnd: number
  readonly statusEnd: number
  readonly keywords: readonly string[]
}
const VERSION = 'mix/1'
function encodeStamp(s: State): string {
  return JSON.stringify([VERSION, s])
}
function decodeStamp(stamp: string | undefined): State | undefined {
  if (stamp === undefined) return undefined
  try {
    const [version, state] = JSON.parse(stamp) as [string, State]
    return version === VERSION ? state : undefined
  } catch {
    return undefined
  }
}

/** A message that was appended, for the table. */
export interface Entered {
  readonly uid: number
  readonly size: number
  readonly ms: number
  readonly zone: number
  readonly system: number
  readonly keywords: readonly string[]
  readonly old: boolean
  readonly place: Place
  readonly line: number
  readonly status: number
}
/** Files in which nothing changes that index and flags do not tell of: what is to be done, octets, and what others keep. */
const SILENT = /^\.mix([0-9a-f]{8}|redo|sortcache)$/i
/** More warnings about one mailbox are of no use to anybody. */
const MOST_NOTICES = 20

/** A mailbox in the format mix. */
export class MixSource implements MailboxSource {
  readonly traits: SourceTraits
  readonly folder: MixFolder
  readonly #ctx: MixContext
  #state: State | undefined
  #stamp: string | undefined
  /** That of the table's rows. */
  #validity = 0
  #keywords = new KeywordBits([])
  /** Messages that nobody has seen by the status file. */
  readonly #fresh = new Set<number>()
  #indexEnd = 0
  #statusEnd = 0
  #claiming = false
  /** A change is under way, under exclusive locks, in rows that are true. */
  #atWork = false
  #heard: (() => void) | undefined
  /** Data files from which messages went, and what they still hold. */
  readonly #holes = new Map<number, Holding>()
  /** The data file that new messages go to, by the last look. */
  #current: number | undefined
  readonly #said = new Set<string>()
  /** What an edit found gone: its rows stand there until the edit is committed, but have no line any more. */
  #absent: { readonly edit: TableEdit; readonly uids: UidSet } | undefined

  /** The folder is the source's from now on. */
  constructor(folder: MixFolder, writable: boolean, ctx: MixContext) {
    this.#ctx = ctx
    this.folder = folder
    this.traits = { writable, uidsPersist: true, modseqs: 'numbered-by-core', facts: [], columns: COLUMNS }
  }
  /** A read-write session has the mailbox: what arrives is given to it. */
  get claiming(): boolean {
    return this.#claiming
  }
  get keywords(): KeywordBits {
    return this.#keywords
  }

  // ---- the table

  /** Makes memory agree with the table: after a restart the columns are all that is known, after a dropped edit nothing is. */
  #attach(edit: TableEdit): void {
    this.#validity = edit.uidValidity
    if (edit.stamp !== undefined && edit.stamp === this.#stamp) return
    this.#state = decodeStamp(edit.stamp)
    this.#stamp = this.#state === undefined ? undefined : edit.stamp
    this.#fresh.clear()
    if (this.#state === undefined) return
    this.#keywords = new KeywordBits(this.#state.keywords)
    this.#indexEnd = this.#state.indexEnd
    this.#statusEnd = this.#state.statusEnd
    this.#publish(edit)
    // One call for each that is found, none for the others: the first SELECT of a process runs this when nothing is compiled.
    const old = edit.rows.column(SEEN).subarray(0, edit.rows.length)
    for (let row = old.indexOf(0); row !== -1; row = old.indexOf(0, row + 1)) this.#fresh.add(edit.rows.uid[row] ?? 0)
  }
  #publish(edit: TableEdit): void {
    edit.keywords(this.#keywords.names, this.traits.writable && !this.#keywords.full)
  }
  /** What is remembered from now on, in memory and in the table's stamp. */
  #remember(edit: TableEdit, held: Held): void {
    const { meta, index, status, inode } = held
    this.#validity = edit.uidValidity
    this.#current = meta.file
    this.#state = {
      inode, sequences: { meta: meta.sequence, index: index.sequence, status: status.sequence }, indexSize: index.size, statusSize: status.size,
      indexEnd: this.#indexEnd, statusEnd: this.#statusEnd, keywords: [...this.#keywords.names],
    }
    this.#stamp = edit.stamp = encodeStamp(this.#state)
  }
  #say(edit: TableEdit, text: string): void {
    if (this.#said.has(text) || this.#said.size >= MOST_NOTICES) return
    this.#said.add(text)
    edit.notice('warning', text)
  }

  async refresh(edit: TableEdit, how: { readonly claimRecent: boolean; readonly found?: FileStat }, signal: AbortSignal): Promise<void> {
    this.#attach(edit)
    const claim = how.claimRecent && this.traits.writable
    this.#claiming = claim
    const state = this.#state
    if (state !== undefined && !(claim && this.#fresh.size > 0)) {
      const now = await this.folder.peek(how.found)
      if (now?.inode === state.inode && CONTROLS.every((control) => now.sequences[control] === state.sequences[control])) return
    }
    await this.folder.locked(claim ? 'exclusive' : 'shared', signal, waitsOf(edit), async (found) => {
      let held = await this.catchUp(found, edit)
      if (claim && this.#fresh.size > 0) held = await this.#claim(held, edit)
      this.#remember(edit, held)
    })
  }
  /** Writes down that the messages were seen. */
  async #claim(held: Held, edit: TableEdit): Promise<Held> {
    const there = [...this.#fresh].sort((a, b) => a - b).flatMap((uid) => {
      const row = edit.rows.find(uid)
      return row === -1 ? [] : [row]
    })
    for (const row of there) edit.set(row, SEEN, 1)
    this.#fresh.clear()
    return this.#writeFlags(held, edit, there)
  }

  /** Makes the table true for the locked mailbox: what its sequences say is unchanged is not read. */
  async catchUp(held: Held, edit: TableEdit): Promise<Held> {
    this.#attach(edit)
    const { meta, index, status } = held
    if (edit.uidValidity !== meta.validity) {
      if (edit.uidValidity !== 0 || edit.rows.length > 0) edit.reset(meta.validity)
      this.#state = undefined
      this.folder.data.along.forget()
      edit.uidValidity = meta.validity
    }
    const known = this.#state?.inode === held.inode ? this.#state : undefined
    const renamed = known === undefined || known.keywords.some((name, bit) => meta.keywords[bit] !== name)
    if (known === undefined || meta.keywords.length !== known.keywords.length || renamed) this.#keywords = new KeywordBits(meta.keywords)
    // An appending program takes one more than the sequence of the metadata, which may be what the index has already: new metadata, new index.
    const all = known?.sequences.index !== index.sequence || known.indexSize !== index.size || known.sequences.meta !== meta.sequence
    if (all) await this.#takeIndex(held, edit)
    if (all || renamed || known.sequences.status !== status.sequence || known.statusSize !== status.size) await this.#takeStatus(held, edit)
    this.#publish(edit)
    edit.uidNext = Math.max(edit.uidNext, meta.last + 1)
    this.#remember(edit, held)
    return held
  }
  async #takeIndex(held: Held, edit: TableEdit): Promise<void> {
    const table = parseIndex(await this.folder.whole('index', held.index))
    if (this.traits.writable && (table.uid[table.count - 1] ?? 0) > held.meta.last) {
      this.#say(edit, `mix index invalid UID (${table.uid[table.count - 1] ?? 0} > ${held.meta.last}), repaired`)
    }
    this.#indexEnd = Math.max(SEQUENCE_OCTETS, table.end)
    if (!fitsRows(edit.rows, table.count, (i) => table.uid[i] ?? 0)) {
      edit.reset(held.meta.validity)
      edit.uidValidity = held.meta.validity
    }
    const before = edit.rows.length
    const gone: number[] = []
    let row = 0
    const nothing = edit.flagSet(0, [])
    for (let i = 0; i < table.count; i++) {
      const uid = table.uid[i] ?? 0
      while (row < before && (edit.rows.uid[row] ?? 0) < uid) gone.push(edit.rows.uid[row++] ?? 0)
      const there = row < before && edit.rows.uid[row] === uid
      // A row number is an index of the table.
      this.#enter(table, i, there ? (row++ as Row) : edit.add(uid, nothing, true), edit)
    }
    while (row < before) gone.push(edit.rows.uid[row++] ?? 0)
    if (gone.length > 0) {
      edit.remove(uids.from(gone))
      this.#absent = { edit, uids: uids.from(gone) }
    }
    for (const uid of gone) this.#fresh.delete(uid)
    await this.#measure(table, edit)
  }
  #enter(table: IndexTable, i: number, row: Row, edit: TableEdit): void {
    const size = table.size[i] ?? 0
    if (edit.rows.size[row] !== size) edit.setSize(row, size)
    const [ms, zone] = [table.ms[i] ?? 0, table.zone[i] ?? 0]
    if (edit.rows.date[row] !== ms || edit.rows.zone[row] !== zone) edit.setDate(row, ms, zone)
    setPlace(edit, row, { file: table.file[i] ?? 0, at: table.at[i] ?? 0, internal: table.internal[i] ?? 0, header: table.header[i] ?? 0 })
    edit.set(row, LINE, table.line[i] ?? 0)
  }
  /** Says what data files lack; their messages stay in the list, since the files may come back. */
  async #measure(table: IndexTable, edit: TableEdit): Promise<void> {
    const held = holdings(table)
    for (const file of this.#holes.keys()) this.#holes.set(file, held.get(file) ?? NOTHING)
    for (const [file, holding] of held) {
      if (holding.backwards) this.#holes.set(file, holding)
      const stat = await this.folder.data.stat(file)
      if (stat === undefined) this.#say(edit, `Missing mix data file: ${this.folder.data.path(file)}`)
      else if (stat.size < holding.end) this.#say(edit, `mix data file ${this.folder.data.path(file)} is truncated by ${holding.end - stat.size} byte(s)`)
    }
  }
  async #takeStatus(held: Held, edit: TableEdit): Promise<void> {
    const table = parseStatus(await this.folder.whole('status', held.status))
    this.#statusEnd = Math.max(SEQUENCE_OCTETS, table.end)
    for (const text of table.problems) this.#say(edit, text)
    const sets = new Map<number, FlagSetId>()
    const { rows } = edit
    this.#fresh.clear()
    for (let row = 0, i = 0; row < rows.length; row++) {
      const uid = rows.uid[row] ?? 0
      while (i < table.count && (table.uid[i] ?? 0) < uid) i++
      const there = i < table.count && table.uid[i] === uid
      const flags = there ? (table.flags[i] ?? 0) : 0
      const keywords = there ? (table.keywords[i] ?? 0) : 0
      const key = keywords * 64 + (flags & SYSTEM_BITS)
      let id = sets.get(key)
      if (id === undefined) sets.set(key, (id = edit.flagSet(flags & SYSTEM_BITS, this.#keywords.list(keywords))))
      // A row number is an index of the table.
      const at = row as Row
      if (rows.flags[row] !== id) edit.setFlags(at, id)
      edit.set(at, STATUS, there ? (table.line[i] ?? 0) : 0)
      const old = (flags & OLD) !== 0
      if (old) edit.setRecent(at, false)
      else this.#fresh.add(uid)
      edit.set(at, SEEN, old ? 1 : 0)
    }
  }

  // ---- changes

  async store(change: FlagChange, edit: TableEdit, signal: AbortSignal): Promise<UidSet> {
    let refused: UidSet = uids.none
    await this.#changing(edit, signal, async (held) => {
      const outcome = edit.apply(change)
      refused = outcome.refused
      return outcome.changed.count === 0 ? held : this.#writeFlags(held, edit, [...rowsOfSet(edit.rows, outcome.changed)])
    })
    return refused
  }
  async #changing(edit: TableEdit, signal: AbortSignal, work: (held: Held) => Promise<Held>): Promise<void> {
    if (!this.traits.writable) throw new MailError('read-only', `${this.folder.path} is read-only`)
    await this.folder.locked('exclusive', signal, waitsOf(edit), async (found) => {
      const before = await this.catchUp(found, edit)
      this.#atWork = true
      try {
        this.#remember(edit, await work(before))
      } catch (error) {
        // What was learnt just now goes with the edit; notices of it may have come already.
        this.#heard?.()
        throw error
      } finally {
        this.#atWork = false
      }
    })
  }
  /** Writes flags of rows as the table has them, each in its place. */
  async #writeFlags(held: Held, edit: TableEdit, all: readonly Row[]): Promise<Held> {
    const absent = this.#absentIn(edit)
    const rows = all.filter((row) => !absent.has(edit.rows.uid[row] ?? 0))
    if (rows.length === 0) return held
    const meta = this.#defineUsed(held, rows, edit)
    const sequence = this.folder.nextSequence(held)
    const lines = edit.rows.column(STATUS)
    // A message that never had flags has no line: then lines move, and all are written.
    const missing = rows.some((row) => (lines[row] ?? 0) === 0)
    const status = missing || held.status.size === 0 ? this.#wholeStatus(held, edit, sequence, new Set(rows)) : this.#inPlace(edit, rows, sequence)
    return this.folder.commit(held, sequence, { ...meta, status })
  }
  #inPlace(edit: TableEdit, rows: readonly Row[], sequence: number): NonNullable<Change['status']> {
    const lines = edit.rows.column(STATUS)
    const octets = Buffer.allocUnsafe(rows.length * STATUS_OCTETS)
    const patches: Patch[] = []
    for (let n = 0; n < rows.length; ) {
      const [first, start] = [n, lines[rows[n] ?? 0] ?? 0]
      for (; n < rows.length && lines[rows[n] ?? 0] === start + (n - first) * STATUS_OCTETS; n++) this.#putStatusLine(edit, rows[n] ?? 0, sequence, octets, n * STATUS_OCTETS)
      patches.push({ at: start, bytes: octets.subarray(first * STATUS_OCTETS, n * STATUS_OCTETS) })
    }
    return { patches, size: this.#statusEnd }
  }
  #wholeStatus(held: Held, edit: TableEdit, sequence: number, changed: ReadonlySet<number>, gone: UidSet = uids.none): NonNullable<Change['status']> {
    const { rows } = edit
    const without = gone.or(this.#absentIn(edit))
    const octets = Buffer.allocUnsafe(rows.length * STATUS_OCTETS)
    let end = 0
    for (let row = 0; row < rows.length; row++) {
      if (without.has(rows.uid[row] ?? 0)) continue
      // A row number is an index of the table.
      edit.set(row as Row, STATUS, SEQUENCE_OCTETS + end)
      this.#putStatusLine(edit, row, changed.has(row) ? sequence : held.status.sequence, octets, end)
      end += STATUS_OCTETS
    }
    this.#statusEnd = SEQUENCE_OCTETS + end
    return { patches: [{ at: SEQUENCE_OCTETS, bytes: octets.subarray(0, end) }], size: this.#statusEnd }
  }
  #putStatusLine(edit: TableEdit, row: number, modseq: number, into: Uint8Array, at: number): void {
    const { rows } = edit
    const set = rows.flagSets[rows.flags[row] ?? 0]
    const old = rows.column(SEEN)[row] === 1 ? OLD : 0
    putStatusLine(into, at, { uid: rows.uid[row] ?? 0, keywords: this.#keywords.mask(set?.keywords ?? []), flags: ((set?.system ?? 0) & SYSTEM_BITS) | old, modseq })
  }
  /** Keywords that core let in get bits before they are written; what has no bit left is taken off again. */
  #defineUsed(held: Held, rows: readonly Row[], edit: TableEdit): Pick<Change, 'meta'> {
    const meta = this.define(held, [...new Set(rows.map((row) => edit.rows.flags[row] ?? 0))].flatMap((id) => edit.rows.flagSets[id]?.keywords ?? []))
    for (const row of rows) {
      const set = edit.rows.flagSets[edit.rows.flags[row] ?? 0]
      if (set === undefined || set.keywords.length === 0) continue
      const kept = this.#keywords.list(this.#keywords.mask(set.keywords))
      if (kept.length !== set.keywords.length) edit.setFlags(row, edit.flagSet(set.system, kept))
    }
    this.#publish(edit)
    return meta
  }
  /** Bits for new keywords; what must be written for them. */
  define(held: Held, words: readonly string[]): Pick<Change, 'meta'> {
    return this.#keywords.define(words) ? { meta: { ...held.meta, keywords: [...this.#keywords.names] } } : {}
  }
  get indexEnd(): number {
    return this.#indexEnd
  }
  get statusEnd(): number {
    return this.#statusEnd
  }

  async expunge(among: UidSet, how: { readonly always: boolean }, edit: TableEdit, signal: AbortSignal): Promise<void> {
    await this.#changing(edit, signal, async (held) => {
      const absent = this.#absentIn(edit)
      const there = uids.from(edit.rows.uid.subarray(0, edit.rows.length)).minus(absent)
      const existing = there.and(among)
      const gone = how.always ? existing : edit.deleted(existing)
      if (gone.count === 0) return held
      const sequence = this.folder.nextSequence(held)
      const stay = there.count - gone.count
      const index = withoutLines(edit, absent, gone, this.#indexEnd)
      // Lines of messages that are gone mean nothing to anybody; they go when they are the greater part.
      const spare = held.status.size > SEQUENCE_OCTETS + (2 * stay + 64) * STATUS_OCTETS
      const done = await this.folder.commit(held, sequence, { index, ...(spare && { status: this.#wholeStatus(held, edit, sequence, new Set(), gone) }) })
      this.#indexEnd = done.index.size
      const { rows } = edit
      const [file, leaving] = [rows.column(FILE), [...rowsOfSet(rows, gone)]]
      const files = new Set(leaving.map((row) => file[row] ?? 0))
      const isLeft = new Uint8Array(rows.length).fill(1)
      for (const row of leaving) {
        isLeft[row] = 0
        this.#fresh.delete(rows.uid[row] ?? 0)
      }
      for (const row of rowsOfSet(rows, absent)) isLeft[row] = 0
      edit.remove(gone)
      const left = holdings({ count: rows.length, size: rows.size, file, at: rows.column(AT), internal: rows.column(INTERNAL) }, (row) => isLeft[row] === 1 && files.has(file[row] ?? 0))
      for (const file of files) this.#holes.set(file, left.get(file) ?? NOTHING)
      return done
    })
  }

  #absentIn(edit: TableEdit): UidSet {
    return this.#absent?.edit === edit ? this.#absent.uids : uids.none
  }
  /** Messages are being appended as described: their rows, which go with the edit when nothing comes of it. */
  enter(edit: TableEdit, messages: readonly Entered[]): void {
    for (const m of messages) {
      const row = edit.add(m.uid, edit.flagSet(m.system, m.keywords), true)
      edit.setSize(row, m.size)
      edit.setDate(row, m.ms, m.zone)
      setPlace(edit, row, m.place)
      edit.set(row, LINE, m.line)
      edit.set(row, STATUS, m.status)
      edit.set(row, SEEN, m.old ? 1 : 0)
    }
  }
  /** They were appended, and the mailbox is as `held` says. */
  entered(edit: TableEdit, messages: readonly Entered[], held: Held): void {
    for (const { uid, old } of messages) if (!old) this.#fresh.add(uid)
    this.#indexEnd = held.index.size
    this.#statusEnd = held.status.size
    this.#publish(edit)
    this.#remember(edit, held)
  }

  read(set: UidSet, wants: Wants, rows: Rows, signal: AbortSignal): AsyncIterable<readonly StoredMessage[]> {
    return readMessages(this.folder, () => this.#validity, set, wants, rows, signal)
  }
  async reclaim(signal: AbortSignal): Promise<void> {
    const state = this.#state
    if (state === undefined || !this.traits.writable) return
    await reclaim(this.folder, { holes: this.#holes, current: this.#current, validity: this.#validity }, signal)
  }
  /** Whether a notice can only be of what this source wrote itself: a look after each change would find nothing. */
  #isOwn(name: string | undefined): boolean {
    if (name !== NAMES.index && name !== NAMES.status) return name !== undefined && SILENT.test(name)
    // While a change is under way nobody else writes, and what was there before is in the rows.
    if (this.#atWork) return true
    const control = name === NAMES.index ? 'index' : 'status'
    return this.#state !== undefined && this.folder.has(control, this.#state.sequences[control])
  }
  watch(changed: () => void): Disposable {
    this.#heard = changed
    try {
      return this.#ctx.files.watch(this.folder.path, (name) => {
        if (!this.#isOwn(name)) changed()
      })
    } catch {
      // No more notices to be had on this machine: core looks now and then.
      return { [Symbol.dispose]: () => undefined }
    }
  }
  close(): Promise<void> {
    return this.folder.close()
  }
}
