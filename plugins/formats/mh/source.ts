import { failedWith } from 'mailwright/api'
import {
  createColumn, MailError, SYSTEM, UNKNOWN, uids, type FilePlace, type FileStat, type FlagChange, type FlagSet, type MailboxSource, type OpenFile, type Row, type Rows, type SourceTraits, type StoredMessage,
  type TableEdit, type UidSet, type Wants,
} from 'mailwright/api'
import { dateOfTime } from '../shared/file-dates.js'
import { waitsOf } from '../shared/locks/wait-lines.js'
import { fillSizes, listNumbers, numberOf, readNumbered, statMessages, statNumbers } from '../shared/numbered-files.js'
import { rowsOfSet } from '../shared/rows-of-set.js'
import { nowSeconds } from '../shared/changes/state-directory.js'
import { SEQUENCES, type MhContext } from './context.js'
import { MhFolder, type Held } from './folder.js'
import type { MhRecord } from './record.js'
import type { Sequences } from './sequences.js'

/** Inode and size of a message's file: by them a renumbering by MH's programs is noticed. */
const INODE = createColumn('mh.inode', 'f64')
const OCTETS = createColumn('mh.octets', 'f64')

/** The state that rows and columns describe. */
interface State {
  readonly folder: FileMark
  readonly sequences: FileMark
  readonly record: MhRecord
  /** Nothing of it was so fresh that another change could have left the times as they were. */
  readonly settled: boolean
}
type FileMark = readonly [inode: number, size: number, mtimeMs: number, ctimeMs: number]
const NOTHING: FileMark = [0, 0, 0, 0]
const VERSION = 'mh/2'
/** A change so soon after another may leave the times as they were. */
const SUSPICIOUS_MS = 50
/** So many empty files are looked at each time, whose times alone tell that something is in them now. */
const MOST_EMPTY = 32
/** So many files are looked at one by one of which the kernel said that something became of them; of more, the folder is. */
const MOST_NOTICED = 1000

function decodeStamp(stamp: string | undefined): State | undefined {
  if (stamp === undefined) return undefined
  try {
    const [version, state] = JSON.parse(stamp) as [string, State]
    return version === VERSION ? state : undefined
  } catch {
    return undefined
  }
}
function markOf(stat: FileStat | undefined): FileMark {
  return stat === undefined ? NOTHING : [stat.inode, stat.size, stat.mtimeMs, stat.ctimeMs]
}
function same(a: object | undefined, b: object | undefined): boolean {
  return a !== undefined && b !== undefined && JSON.stringify(a) === JSON.stringify(b)
}

/** An MH folder. */
export class MhSource implements MailboxSource {
  readonly traits: SourceTraits
  readonly folder: MhFolder
  readonly #ctx: MhContext
  #state: State | undefined
  #stamp: string | undefined
  #fresh = true
  /** When the folder was last looked at, before it was listed. */
  #lookedMs = Number.NEGATIVE_INFINITY
  #claiming = false
  /** Files that were empty, which are no messages. */
  #empty: readonly number[] = []
  /** Messages of whose files the kernel said something since the last look: they may have been written to. */
  readonly #noticed = new Set<number>()
  /** The rows are those that this source made, also when an operation that failed has left them without a stamp. */
  #ours = false

  constructor(place: FilePlace, writable: boolean, ctx: MhContext) {
    this.#ctx = ctx
    this.folder = new MhFolder(place, ctx)
    this.traits = { writable, uidsPersist: true, modseqs: 'numbered-by-core', facts: [], columns: [INODE, OCTETS] }
  }
  get claiming(): boolean {
    return this.#claiming
  }
  #attach(edit: TableEdit): void {
    if (edit.stamp !== undefined && edit.stamp === this.#stamp) {
      this.#ours = true
      return
    }
    this.#state = decodeStamp(edit.stamp)
    if (edit.stamp !== undefined) this.#ours = this.#state !== undefined
    this.#stamp = this.#state === undefined ? undefined : edit.stamp
    this.#fresh = this.#state?.settled !== true
    this.#empty = []
    this.#taken = undefined
  }
  async #marks(): Promise<{ readonly folder: FileMark; readonly sequences: FileMark }> {
    const { files } = this.#ctx
    const [folder, sequences] = await Promise.all([files.stat(this.folder.path), files.stat(`${this.folder.path}/${SEQUENCES}`)])
    return { folder: markOf(folder), sequences: markOf(sequences) }
  }
  /** What is remembered from now on. */
  async remember(edit: TableEdit, held: Held, sequences: Sequences | undefined): Promise<void> {
    const marks = await this.#marks()
    // MH's programs know no lock: what they did since is in these marks, and not in the rows.
    this.#fresh = Math.max(marks.folder[2], marks.sequences[2]) > this.#lookedMs - SUSPICIOUS_MS
    this.#state = { ...marks, record: held.record, settled: !this.#fresh && this.#empty.length === 0 }
    this.#stamp = edit.stamp = JSON.stringify([VERSION, this.#state])
    edit.uidNext = Math.max(edit.uidNext, held.record.last + 1)
    if (sequences !== undefined) edit.keywords(sequences.keywords, this.traits.writable && !sequences.full)
  }

  async refresh(edit: TableEdit, how: { readonly claimRecent: boolean }, signal: AbortSignal): Promise<void> {
    this.#attach(edit)
    const claim = how.claimRecent && this.traits.writable
    this.#claiming = claim
    const state = this.#state
    if (state !== undefined && !this.#fresh && !(claim && (state.record.claimed < state.record.last || state.record.known < state.record.last))) {
      const [marks, record] = await Promise.all([this.#marks(), this.folder.peek()])
      const unchanged = same(marks.folder, state.folder) && same(marks.sequences, state.sequences) && same(record, state.record)
      if (unchanged && !(await this.#isWritten(edit.rows))) return
    }
    await this.folder.locked(signal, waitsOf(edit), async (found) => {
      let { held, sequences } = await this.catchUp(found, edit, signal)
      if (claim && (held.record.claimed < held.record.last || held.record.known < held.record.last)) {
        if (held.record.known < held.record.last) sequences = await this.#write(edit, rowsFrom(edit.rows, held.record.known + 1), signal)
        held = await this.folder.note(held, { claimed: held.record.last, known: held.record.last }, true)
        this.#taken = { sequences, known: held.record.known }
      }
      await this.remember(edit, held, sequences)
    })
  }

  /** Whether something was written into a file that was empty, or into one that is a message: of neither does the folder's time tell. */
  async #isWritten(rows: Rows): Promise<boolean> {
    const [empty, noticed] = [this.#empty.slice(0, MOST_EMPTY), [...this.#noticed]]
    this.#noticed.clear()
    if (noticed.length <= MOST_NOTICED) {
      const [inodes, octets] = [rows.column(INODE), rows.column(OCTETS)]
      const stats = await statNumbers(this.#ctx.files, this.folder.path, [...empty, ...noticed])
      const isOther = ([uid, stat]: readonly [number, FileStat]): boolean => {
        const row = rows.find(uid)
        return row === -1 ? stat.size > 0 && empty.includes(uid) : inodes[row] !== stat.inode || octets[row] !== stat.size
      }
      if (!stats.some(isOther)) return false
    }
    this.#fresh = true
    return true
  }
  /** After a delivery into this mailbox. Its messages are there, whatever happens here: if their rows cannot be told now, the next look does. */
  async arrived(held: Held, edit: TableEdit, signal: AbortSignal): Promise<void> {
    try {
      const { held: now, sequences } = await this.catchUp(held, edit, signal)
      await this.remember(edit, now, sequences)
    } catch {
      this.#fresh = true
    }
  }
  /** Makes the table true: messages by the folder, flags by the sequences. */
  async catchUp(found: Held, edit: TableEdit, signal: AbortSignal): Promise<{ held: Held; sequences: Sequences }> {
    this.#attach(edit)
    let held = found
    const { validity } = held.record
    if (edit.uidValidity !== validity) {
      if (edit.uidValidity !== 0 || edit.rows.length > 0) edit.reset(validity)
      edit.uidValidity = validity
      this.#state = undefined
      this.#taken = undefined
    }
    this.#lookedMs = this.#ctx.clock.now()
    const marks = await this.#marks()
    const before = this.#state
    const had = edit.rows.length
    let sequences = await this.folder.sequences()
    if (before === undefined || this.#fresh || !same(before.folder, marks.folder) || !same(before.record, held.record)) {
      const taken = await this.#takeFolder(held, edit, before, signal)
      held = taken.held
      sequences = taken.kept ?? sequences
    }
    this.#takeFlags(held.record.known, edit, sequences, edit.uidValidity === validity && before !== undefined ? had : 0)
    return { held, sequences }
  }
  /** `kept`: the sequences with flags that the numbers' end would have lost. */
  async #takeFolder(held: Held, edit: TableEdit, before: State | undefined, signal: AbortSignal): Promise<{ readonly held: Held; readonly kept: Sequences | undefined }> {
    const { files } = this.#ctx
    const { numbers, others } = await listNumbers(files, this.folder.path)
    await this.folder.sweep(others)
    const { rows } = edit
    const { stats, empty } = await statMessages(files, this.folder.path, numbers)
    const lastRow = rows.length === 0 ? 0 : (rows.uid[rows.length - 1] ?? 0)
    const [inodes, octets] = [rows.column(INODE), rows.column(OCTETS)]
    // MH's programs give other numbers to messages; a number that means another message than before ends all numbers.
    const renumbered = stats.some(([uid, stat]) => {
      const row = rows.find(uid)
      return row !== -1 && this.#ours && (inodes[row] !== stat.inode || octets[row] !== stat.size)
    })
    const unknown = stats.some(([uid]) => rows.find(uid) === -1 && (uid <= lastRow || (before !== undefined && uid <= before.record.last)))
    const highest = stats.at(-1)?.[0] ?? 0
    let now = held
    let kept: Sequences | undefined
    // What may fail comes before the rows: a delivery that has arrived keeps them as they are then.
    if (renumbered || (unknown && before !== undefined)) {
      kept = await this.#keepFlags(edit, stats, signal)
      // Messages that are new to this server are so with their new numbers, where those come behind all that it knows.
      const lastKnown = stats.findLast(([uid]) => rows.find(uid) !== -1)?.[0] ?? 0
      const behind = !renumbered && stats.every(([uid]) => rows.find(uid) !== -1 || uid > lastKnown)
      const { claimed, known } = behind ? { claimed: Math.min(lastKnown, held.record.claimed), known: Math.min(lastKnown, held.record.known) } : { claimed: highest, known: highest }
      now = await this.folder.note(held, { validity: Math.max(nowSeconds(this.#ctx.clock), held.record.validity + 1), last: highest, claimed, known }, true)
    } else if (highest > held.record.last) now = await this.folder.note(held, { last: highest }, false)
    if (renumbered || unknown) edit.reset(now.record.validity)
    edit.uidValidity = now.record.validity
    this.#empty = empty
    const there = new Set(stats.map(([uid]) => uid))
    const gone = [...edit.rows.uid.subarray(0, edit.rows.length)].filter((uid) => !there.has(uid))
    if (gone.length > 0) edit.remove(uids.from(gone))
    const nothing = edit.flagSet(0, [])
    for (const [uid, stat] of stats) {
      const known = edit.rows.find(uid)
      const row = known === -1 ? edit.add(uid, nothing, uid > now.record.claimed) : known
      if (known === -1 || edit.rows.column(OCTETS)[row] !== stat.size || edit.rows.column(INODE)[row] !== stat.inode) edit.setSize(row, UNKNOWN)
      const { ms, zone } = dateOfTime(stat.mtimeMs)
      if (edit.rows.date[row] !== ms || edit.rows.zone[row] !== zone) edit.setDate(row, ms, zone)
      edit.set(row, INODE, stat.inode)
      edit.set(row, OCTETS, stat.size)
      if (uid <= now.record.claimed) edit.setRecent(row, false)
      // MH does not say what is unseen before somebody keeps track of it: then what was read since it was written is not.
      if (now.record.known === 0 && stat.atimeMs > stat.mtimeMs) this.#read.add(uid)
    }
    return { held: now, kept }
  }
  /**
   * Numbers are about to end, and what waits in core's journal for them with them: flags of messages whose files are still there are written first, under the
   * numbers that the files have now.
   */
  async #keepFlags(edit: TableEdit, stats: readonly (readonly [number, FileStat])[], signal: AbortSignal): Promise<Sequences | undefined> {
    const { rows } = edit
    const taken = this.#taken
    if (taken === undefined || !this.traits.writable) return undefined
    const [inodes, octets] = [rows.column(INODE), rows.column(OCTETS)]
    const files = new Map(stats.map(([number, { inode, size }]) => [inode, { number, size }]))
    const flags = new Map<number, FlagSet>()
    for (let row = 0; row < rows.length; row++) {
      const now = rows.flagSets[rows.flags[row] ?? 0]
      const file = files.get(inodes[row] ?? 0)
      if (now === undefined || file === undefined || file.size !== octets[row]) continue
      const then = this.#flags(taken.sequences, taken.known, rows.uid[row] ?? 0)
      if (then.system !== now.system || then.keywords.join(' ') !== now.keywords.join(' ')) flags.set(file.number, now)
    }
    if (flags.size === 0) return undefined
    const sequences = await this.folder.changeSequences(signal, (s) => s.set(flags))
    await this.folder.sync()
    return sequences
  }
  /** Messages that were read before this server knew the folder. */
  readonly #read = new Set<number>()
  /** What the rows' flags were last taken from; what core keeps back of them stays where nothing else changed. */
  #taken: { readonly sequences: Sequences; readonly known: number } | undefined
  /** `from`: the first row that has no flags yet. */
  #takeFlags(known: number, edit: TableEdit, sequences: Sequences, from: number): void {
    const { rows } = edit
    const before = this.#taken
    const same = before !== undefined && before.known === known && before.sequences.text === sequences.text
    for (let row = same ? from : 0; row < rows.length; row++) {
      const uid = rows.uid[row] ?? 0
      const now = this.#flags(sequences, known, uid)
      if (before !== undefined && row < from) {
        const then = this.#flags(before.sequences, before.known, uid)
        if (then.system === now.system && then.keywords.join(' ') === now.keywords.join(' ')) continue
      }
      const id = edit.flagSet(now.system, now.keywords)
      // A row number is an index of the table.
      if (rows.flags[row] !== id) edit.setFlags(row as Row, id)
    }
    this.#taken = { sequences, known }
    edit.keywords(sequences.keywords, this.traits.writable && !sequences.full)
  }
  #flags(sequences: Sequences, known: number, uid: number): { readonly system: number; readonly keywords: readonly string[] } {
    const { system, keywords } = sequences.flagsOf(uid)
    if (uid <= known) return { system, keywords }
    // What other programs brought since the last look is new, whatever they noted; before the first look their word counts.
    const seen = known === 0 && (sequences.knowsUnseen ? (system & SYSTEM.seen) !== 0 : this.#read.has(uid))
    return { system: (system & ~SYSTEM.seen) | (seen ? SYSTEM.seen : 0), keywords }
  }

  // ---- changes

  async store(change: FlagChange, edit: TableEdit, signal: AbortSignal): Promise<UidSet> {
    let refused: UidSet = uids.none
    await this.#changing(edit, signal, async (held) => {
      const outcome = edit.apply(change)
      refused = outcome.refused
      return { held, sequences: outcome.changed.count === 0 ? undefined : await this.#writeSynced(edit, [...rowsOfSet(edit.rows, outcome.changed)], signal) }
    })
    return refused
  }
  async checkpoint(dirty: UidSet, edit: TableEdit, signal: AbortSignal): Promise<void> {
    if (!this.traits.writable) throw new MailError('read-only', `${this.folder.path} is read-only`)
    // The table has what is to be written; the folder is not looked at before, so that it stays so.
    await this.folder.locked(signal, waitsOf(edit), async (held) => {
      const sequences = await this.#writeSynced(edit, [...rowsOfSet(edit.rows, dirty)], signal)
      // Without what the rows' flags were taken from nobody can tell what others noted since: the next look does.
      if (this.#state !== undefined && this.#taken !== undefined) await this.remember(edit, { ...held, record: this.#state.record }, sequences)
    })
  }
  async #changing(edit: TableEdit, signal: AbortSignal, work: (held: Held) => Promise<{ held: Held; sequences: Sequences | undefined }>): Promise<void> {
    if (!this.traits.writable) throw new MailError('read-only', `${this.folder.path} is read-only`)
    await this.folder.locked(signal, waitsOf(edit), async (found) => {
      const { held } = await this.catchUp(found, edit, signal)
      const done = await work(held)
      await this.remember(edit, done.held, done.sequences)
    })
  }
  async #writeSynced(edit: TableEdit, rows: readonly Row[], signal: AbortSignal): Promise<Sequences> {
    const sequences = await this.#write(edit, rows, signal)
    await this.folder.sync()
    return sequences
  }
  /** Flags of these rows into the sequences; keywords that find no room are taken off again. What others noted since the last look comes into the rows. */
  async #write(edit: TableEdit, rows: readonly Row[], signal: AbortSignal): Promise<Sequences> {
    const flags = new Map(rows.map((row) => [edit.rows.uid[row] ?? 0, edit.rows.flagSets[edit.rows.flags[row] ?? 0] ?? { system: 0, keywords: [] }]))
    const taken = this.#taken
    let noted = false
    const sequences = await this.folder.changeSequences(signal, (s) => {
      noted = taken !== undefined && s.text !== taken.sequences.text
      s.set(flags)
    })
    if (taken !== undefined && noted) this.#takeFlags(taken.known, edit, sequences, edit.rows.length)
    if (taken !== undefined) this.#taken = { ...taken, sequences }
    for (const row of rows) {
      const kept = sequences.flagsOf(edit.rows.uid[row] ?? 0)
      edit.setFlags(row, edit.flagSet(kept.system, kept.keywords))
    }
    return sequences
  }

  async expunge(among: UidSet, how: { readonly always: boolean }, edit: TableEdit, signal: AbortSignal): Promise<void> {
    await this.#changing(edit, signal, async (held) => {
      const existing = uids.from(edit.rows.uid.subarray(0, edit.rows.length)).and(among)
      const gone = how.always ? existing : edit.deleted(existing)
      if (gone.count === 0) return { held, sequences: undefined }
      // The last number must outlive its message.
      const done = await this.folder.note(held, {}, true)
      for (const row of rowsOfSet(edit.rows, gone)) {
        try {
          await this.#ctx.files.unlink(`${this.folder.path}/${edit.rows.uid[row] ?? 0}`)
        } catch (error) {
          if (!failedWith(error, 'ENOENT')) throw error
        }
      }
      const sequences = await this.folder.changeSequences(signal, (s) => s.remove(gone))
      await this.folder.sync()
      edit.remove(gone)
      return { held: done, sequences }
    })
  }

  async *read(set: UidSet, wants: Wants, rows: Rows, signal: AbortSignal): AsyncGenerator<readonly StoredMessage[]> {
    const wanted = uids.from(rows.uid.subarray(0, rows.length)).and(set).count
    let found = 0
    for await (const batch of readNumbered({ files: this.#ctx.files, path: this.folder.path, kept: 'text', isMessage: isKnown(rows) }, set, wants, rows, signal)) {
      found += batch.length
      yield batch
    }
    // Of a file that was emptied the folder's time does not tell.
    if (found < wanted) this.#fresh = true
  }
  fill(set: UidSet, edit: TableEdit, signal: AbortSignal): Promise<void> {
    return fillSizes({ files: this.#ctx.files, path: this.folder.path, kept: 'text' }, set, edit, signal)
  }
  watch(changed: () => void): Disposable {
    try {
      return this.#ctx.files.watch(this.folder.path, (name) => {
        const number = name === undefined ? undefined : numberOf(name)
        if (number !== undefined) this.#noticed.add(number)
        changed()
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

/** Whether a file is the one that had the number at the last look: MH's programs give other numbers to messages. */
function isKnown(rows: Rows): (uid: number, file: OpenFile) => Promise<boolean> {
  const [inodes, octets] = [rows.column(INODE), rows.column(OCTETS)]
  return async (uid, file) => {
    const row = rows.find(uid)
    const stat = await file.stat()
    return stat.inode === inodes[row] && stat.size === octets[row]
  }
}
function rowsFrom(rows: Rows, uid: number): Row[] {
  return [...rowsOfSet(rows, uids.ranges(Uint32Array.of(uid, 0xffffffff)))]
}
