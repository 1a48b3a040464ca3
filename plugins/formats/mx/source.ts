import {
  createColumn, MailError, uids, type FilePlace, type FlagChange, type MailboxSource, type Row, type Rows, type SourceTraits, type StoredMessage, type TableEdit,
  type UidSet, type Wants,
} from 'mailwright/api'
import { dateOfTime } from '../shared/file-dates.js'
import { KeywordBits } from '../shared/keyword-bits.js'
import type { Say } from '../shared/locks/lock-context.js'
import { listNumbers, readNumbered, statNumbers } from '../shared/numbered-files.js'
import { rowsOfSet } from '../shared/rows-of-set.js'
import { saidOnce } from '../shared/said-once.js'
import { INDEX, type MxContext } from './context.js'
import { MxFolder, type Held } from './folder.js'
import { headText, OLD, RECORD_OCTETS, recordText, SYSTEM_BITS, type MxIndex } from './records.js'

/** Where its record begins in the index, plus one; 0: it has none. */
const RECORD = createColumn('mx.record', 'u32')
/** Somebody has seen that it came, by the index. */
const SEEN = createColumn('mx.old', 'u32')

/** The state that rows and columns describe. */
interface State {
  readonly index: FileMark
  readonly folder: FileMark
  readonly keywords: readonly string[]
}
type FileMark = readonly [inode: number, size: number, mtimeMs: number, ctimeMs: number, mark: number]
const VERSION = 'mx/1'
/** A change so soon after another may leave the times as they were; longer ago where times have no fractions of seconds. */
const SUSPICIOUS_MS = { fine: 50, whole: 5000 }

function decodeStamp(stamp: string | undefined): State | undefined {
  if (stamp === undefined) return undefined
  try {
    const [version, state] = JSON.parse(stamp) as [string, State]
    return version === VERSION ? state : undefined
  } catch {
    return undefined
  }
}
function same(a: FileMark | undefined, b: FileMark): boolean {
  return a !== undefined && a.every((n, i) => n === b[i])
}

/** A mailbox in the format mx. */
export class MxSource implements MailboxSource {
  readonly traits: SourceTraits
  readonly folder: MxFolder
  readonly #ctx: MxContext
  #state: State | undefined
  #stamp: string | undefined
  /** That of the table's rows. */
  #validity = 0
  /** When the state was noted: what changed just before may change again unseen. */
  #fresh = true
  #keywords = new KeywordBits([])
  #claiming = false
  readonly #said = new Set<string>()

  constructor(place: FilePlace, writable: boolean, ctx: MxContext) {
    this.#ctx = ctx
    this.folder = new MxFolder(place, ctx)
    this.traits = { writable, uidsPersist: true, modseqs: 'numbered-by-core', facts: [], columns: [RECORD, SEEN] }
  }
  get claiming(): boolean {
    return this.#claiming
  }
  get keywords(): KeywordBits {
    return this.#keywords
  }
  say(edit: TableEdit): Say {
    return saidOnce(edit, this.#said)
  }
  #attach(edit: TableEdit): void {
    this.#validity = edit.uidValidity
    if (edit.stamp !== undefined && edit.stamp === this.#stamp) return
    this.#state = decodeStamp(edit.stamp)
    this.#stamp = this.#state === undefined ? undefined : edit.stamp
    this.#fresh = true
    this.#keywords = new KeywordBits(this.#state?.keywords ?? [])
  }
  #publish(edit: TableEdit): void {
    edit.keywords(this.#keywords.names, this.traits.writable && !this.#keywords.full)
  }
  async #marks(held: Held | undefined): Promise<{ readonly index: FileMark; readonly folder: FileMark } | undefined> {
    const { files } = this.#ctx
    const [folder, index] = await Promise.all([files.stat(this.folder.path), held?.file.stat() ?? files.stat(`${this.folder.path}/${INDEX}`)])
    if (folder === undefined || index === undefined) return undefined
    return {
      index: [index.inode, index.size, index.mtimeMs, index.ctimeMs, held?.mark ?? this.#state?.index[4] ?? 0],
      folder: [folder.inode, folder.size, folder.mtimeMs, folder.ctimeMs, 0],
    }
  }
  /** What is remembered from now on. `changed`: by this server, which holds the lock. */
  async remember(edit: TableEdit, held: Held, changed: boolean): Promise<void> {
    if (changed) await this.folder.markTimes(held)
    this.#validity = edit.uidValidity
    const marks = await this.#marks(held)
    if (marks === undefined) return
    this.#state = { ...marks, keywords: [...this.#keywords.names] }
    this.#fresh = [marks.index[2], marks.folder[2]].some((mtimeMs) => mtimeMs > this.#ctx.clock.now() - SUSPICIOUS_MS[mtimeMs % 1000 === 0 ? 'whole' : 'fine'])
    this.#stamp = edit.stamp = JSON.stringify([VERSION, this.#state])
    this.#publish(edit)
  }

  async refresh(edit: TableEdit, how: { readonly claimRecent: boolean }, signal: AbortSignal): Promise<void> {
    this.#attach(edit)
    const claim = how.claimRecent && this.traits.writable
    this.#claiming = claim
    const owes = claim && edit.rows.column(SEEN).subarray(0, edit.rows.length).includes(0)
    if (this.#state !== undefined && !owes && !this.#fresh) {
      const marks = await this.#marks(undefined)
      if (marks !== undefined && same(this.#state.index, marks.index) && same(this.#state.folder, marks.folder)) return
    }
    // Who may write ends deliveries that were interrupted, so that everybody sees the same.
    await this.folder.locked(this.traits.writable ? 'exclusive' : 'shared', signal, this.say(edit), async (found) => {
      let held = await this.catchUp(found, edit)
      const fresh = claim ? this.#unseen(edit) : []
      for (const row of fresh) edit.set(row, SEEN, 1)
      if (fresh.length > 0) held = await this.#writeFlags(held, edit, fresh)
      await this.remember(edit, held, fresh.length > 0)
    })
  }
  #unseen(edit: TableEdit): Row[] {
    const seen = edit.rows.column(SEEN)
    const out: Row[] = []
    // A row number is an index of the table.
    for (let row = 0; row < edit.rows.length; row++) if (seen[row] === 0) out.push(row as Row)
    return out
  }

  /** Makes the table true: messages by the folder, flags by the index. */
  async catchUp(found: Held, edit: TableEdit): Promise<Held> {
    this.#attach(edit)
    let held = found
    if (held.index.validity === 0) {
      // An empty index, seen by somebody who may not write: numbers hold for this look.
      if (edit.uidValidity === 0) edit.uidValidity = Math.max(1, Math.floor(this.#ctx.clock.now() / 1000))
    } else if (edit.uidValidity !== held.index.validity) {
      if (edit.uidValidity !== 0 || edit.rows.length > 0) edit.reset(held.index.validity)
      edit.uidValidity = held.index.validity
      this.#state = undefined
    }
    const marks = await this.#marks(held)
    if (this.#state === undefined || marks === undefined || this.#fresh || !same(this.#state.folder, marks.folder)) held = await this.#takeFolder(held, edit)
    const flagsKnown = this.#state !== undefined && marks !== undefined && !this.#fresh && same(this.#state.index, marks.index) && same(this.#state.folder, marks.folder)
    if (!flagsKnown) this.#takeFlags(await this.folder.whole(held), edit)
    edit.uidNext = Math.max(edit.uidNext, held.index.last + 1)
    this.#publish(edit)
    return held
  }
  async #takeFolder(held: Held, edit: TableEdit): Promise<Held> {
    const { files } = this.#ctx
    const { path } = this.folder
    let { numbers, others } = await listNumbers(files, path)
    if (held.writable && (await this.folder.finishIncoming(held, others))) ({ numbers, others } = await listNumbers(files, path))
    const there = new Set(numbers)
    const { rows } = edit
    const last = rows.length === 0 ? 0 : (rows.uid[rows.length - 1] ?? 0)
    if (numbers.some((n) => n <= last && rows.find(n) === -1)) {
      edit.reset(edit.uidValidity)
      edit.uidValidity = held.index.validity || Math.max(1, Math.floor(this.#ctx.clock.now() / 1000))
      return this.#takeFolder(held, edit)
    }
    const gone = [...rows.uid.subarray(0, rows.length)].filter((uid) => !there.has(uid))
    if (gone.length > 0) edit.remove(uids.from(gone))
    const trusted = this.#state !== undefined
    const nothing = edit.flagSet(0, [])
    for (const [uid, stat] of await statNumbers(files, path, trusted ? numbers.filter((n) => n > last) : numbers)) {
      const known = rows.find(uid)
      const row = known === -1 ? edit.add(uid, nothing, true) : known
      const { ms, zone } = dateOfTime(stat.mtimeMs)
      if (rows.size[row] !== stat.size) edit.setSize(row, stat.size)
      if (rows.date[row] !== ms || rows.zone[row] !== zone) edit.setDate(row, ms, zone)
    }
    return held
  }
  #takeFlags({ records, keywords }: MxIndex, edit: TableEdit): void {
    this.#keywords = new KeywordBits(keywords)
    const { rows } = edit
    for (let row = 0, i = 0; row < rows.length; row++) {
      const uid = rows.uid[row] ?? 0
      while (i < records.length && (records[i]?.uid ?? 0) < uid) i++
      const record = records[i]?.uid === uid ? records[i] : undefined
      const id = edit.flagSet((record?.flags ?? 0) & SYSTEM_BITS, this.#keywords.list(record?.keywords ?? 0))
      // A row number is an index of the table.
      const at = row as Row
      if (rows.flags[row] !== id) edit.setFlags(at, id)
      edit.set(at, RECORD, record === undefined ? 0 : record.at + 1)
      const old = ((record?.flags ?? 0) & OLD) !== 0
      if (old) edit.setRecent(at, false)
      // Other programs do not keep this bit; what this process knows of it stays.
      if (old || rows.column(SEEN)[row] !== 1) edit.set(at, SEEN, old ? 1 : 0)
    }
  }

  async store(change: FlagChange, edit: TableEdit, signal: AbortSignal): Promise<UidSet> {
    let refused: UidSet = uids.none
    await this.#changing(edit, signal, async (held) => {
      const outcome = edit.apply(change)
      refused = outcome.refused
      const rows: Row[] = []
      for (let row = 0; row < edit.rows.length; row++) if (outcome.changed.has(edit.rows.uid[row] ?? 0)) rows.push(row as Row)
      return rows.length === 0 ? held : this.#writeFlags(held, edit, rows)
    })
    return refused
  }
  async #changing(edit: TableEdit, signal: AbortSignal, work: (held: Held) => Promise<Held>): Promise<void> {
    if (!this.traits.writable) throw new MailError('read-only', `${this.folder.path} is read-only`)
    await this.folder.locked('exclusive', signal, this.say(edit), async (found) => {
      const before = await this.catchUp(found, edit)
      const done = await work(before)
      await this.remember(edit, done, done !== before)
    })
  }
  /** Records where they stand; all of it when one of them has none yet, or a keyword is new. */
  async #writeFlags(held: Held, edit: TableEdit, rows: readonly Row[]): Promise<Held> {
    const words = [...new Set(rows.map((row) => edit.rows.flags[row] ?? 0))].flatMap((id) => edit.rows.flagSets[id]?.keywords ?? [])
    const more = this.#keywords.define(words)
    for (const row of rows) {
      const set = edit.rows.flagSets[edit.rows.flags[row] ?? 0]
      const kept = this.#keywords.list(this.#keywords.mask(set?.keywords ?? []))
      if (set !== undefined && kept.length !== set.keywords.length) edit.setFlags(row, edit.flagSet(set.system, kept))
    }
    const places = edit.rows.column(RECORD)
    if (more || rows.some((row) => (places[row] ?? 0) === 0)) return this.rewrite(held, edit)
    return this.folder.patch(held, rows.map((row) => ({ at: (places[row] ?? 1) - 1, text: this.#record(edit, row) })), held.stat.size)
  }
  #record(edit: TableEdit, row: number): string {
    const { rows } = edit
    const set = rows.flagSets[rows.flags[row] ?? 0]
    return recordText(rows.uid[row] ?? 0, this.#keywords.mask(set?.keywords ?? []), ((set?.system ?? 0) & SYSTEM_BITS) | (rows.column(SEEN)[row] === 1 ? OLD : 0))
  }
  /** The whole index as the table has it. */
  async rewrite(held: Held, edit: TableEdit, gone: UidSet = uids.none): Promise<Held> {
    const index = { validity: edit.uidValidity, last: Math.max(held.index.last, edit.uidNext - 1), keywords: [...this.#keywords.names] }
    const start = headText(index.validity, index.last, index.keywords).length
    const records: string[] = []
    for (let row = 0; row < edit.rows.length; row++) {
      if (gone.has(edit.rows.uid[row] ?? 0)) continue
      // A row number is an index of the table.
      edit.set(row as Row, RECORD, start + records.length * RECORD_OCTETS + 1)
      records.push(this.#record(edit, row))
    }
    return this.folder.write(held, index, records)
  }

  async expunge(among: UidSet, how: { readonly always: boolean }, edit: TableEdit, signal: AbortSignal): Promise<void> {
    await this.#changing(edit, signal, async (held) => {
      const { files } = this.#ctx
      const existing = uids.from(edit.rows.uid.subarray(0, edit.rows.length)).and(among)
      const gone = how.always ? existing : edit.deleted(existing)
      if (gone.count === 0) return held
      // The last number must outlive its message.
      let done = edit.uidNext - 1 > held.index.last ? await this.rewrite(held, edit) : held
      for (const uid of edit.rows.uid.subarray(0, edit.rows.length)) {
        if (!gone.has(uid)) continue
        try {
          await files.unlink(`${this.folder.path}/${uid}`)
        } catch (error) {
          if (!isMissing(error)) throw error
        }
      }
      if (this.folder.durable) await files.syncDirectory(this.folder.path)
      // Records of messages that are gone mean nothing; they go when they are the greater part.
      if (done.index.count > 2 * (edit.rows.length - gone.count) + 64) done = await this.rewrite(done, edit, gone)
      edit.remove(gone)
      return { ...done }
    })
  }

  /** A message was put into the folder, its record into the index. */
  enter(edit: TableEdit, m: { readonly uid: number; readonly size: number; readonly ms: number; readonly zone: number; readonly system: number; readonly keywords: readonly string[] }, record: number): void {
    const row = edit.add(m.uid, edit.flagSet(m.system, m.keywords), true)
    edit.setSize(row, m.size)
    edit.setDate(row, m.ms, m.zone)
    edit.set(row, RECORD, record)
    edit.set(row, SEEN, this.#claiming ? 1 : 0)
  }

  /** After messages were entered, which are there whatever happens here: a failure leaves to the next look what the table says of the index. `moved`: records have other places. */
  async arrived(edit: TableEdit, held: Held, moved: boolean): Promise<void> {
    try {
      await this.remember(edit, moved ? await this.rewrite(held, edit) : held, true)
    } catch {
      this.#stamp = undefined
    }
  }

  async *read(set: UidSet, wants: Wants, rows: Rows, signal: AbortSignal): AsyncGenerator<readonly StoredMessage[]> {
    let missing = [...rowsOfSet(rows, set)].length
    for await (const batch of readNumbered({ files: this.#ctx.files, path: this.folder.path, kept: 'octets', isIt: () => this.#isIt() }, set, wants, rows, signal)) {
      missing -= batch.length
      yield batch
    }
    // Of a file that was cut off neither the folder's time nor the index tells: the next look has to ask for each.
    if (missing > 0) this.#state = undefined
  }
  /** Nothing has changed, or the index has the UIDVALIDITY of the rows; one that is empty or damaged says nothing else. */
  async #isIt(): Promise<boolean> {
    const [known, now] = [this.#state, await this.#marks(undefined)]
    if (now === undefined) return false
    if (known !== undefined && same(known.index, now.index) && same(known.folder, now.folder)) return true
    const validity = await this.folder.validity()
    return validity === 0 || validity === this.#validity
  }
  watch(changed: () => void): Disposable {
    try {
      return this.#ctx.files.watch(this.folder.path, changed)
    } catch {
      // No more notices to be had on this machine: core looks now and then.
      return { [Symbol.dispose]: () => undefined }
    }
  }
  async close(): Promise<void> {
    // Nothing is open between two operations.
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
