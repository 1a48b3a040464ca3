import { MailError, uids, type FileStat, type OpenFile, type Rows, type TableEdit, type UidSet } from 'mailwright/api'
import { fitsRows } from '../fits-rows.js'
import type { Say } from '../locks/lock-context.js'
import { saidOnce } from '../said-once.js'
import { readSmall } from '../small-read.js'
import { nowSeconds } from '../changes/state-directory.js'
import { emptyHeader, readContents, readHeader, type Contents } from './contents.js'
import type { FixedContext } from './context.js'
import { BIT, type Dialect } from './dialect.js'
import { readFields } from './fields.js'
import type { FixedFile, Held } from './fixed-file.js'
import type { FileHeader } from './file-header.js'
import { KeywordBits } from './keyword-bits.js'
import type { KnownDone } from './known-change.js'
import { FORM, Layout, placeOfRow, type Place } from './layout.js'
import { numberRecords } from './numbering.js'
import { parseLine } from './record.js'
import { addAppended, addRows, flagSetsOf, takeRows, type Entered } from './rows.js'
import { scanRecords } from './scan.js'
import type { StoredIn } from './stored.js'
import { decodeStamp, encodeStamp, fileState, isUnchanged, sameFile, sameMtime, type FileState } from './stamp.js'

/**
 * What is known of a mailbox file: its messages and their places, the state of the file in which that is so, and how far core's table says the
 * same. It is made true again by `catchUp`, under the locks; nothing here writes to the file.
 */
export class KnownFile {
  readonly #file: FixedFile
  readonly #dialect: Dialect
  readonly #ctx: FixedContext
  /** Told the inode whenever something was found out of the file. */
  readonly #found: (inode: number) => void
  /** What the table's stamp says, decoded. */
  #state: FileState | undefined
  #stamp: string | undefined
  /** Since when the file was held when the state was taken. */
  #held = -1
  #contents: Contents | undefined
  /** That of the table's rows. */
  #validity = 0
  /** What was known before one or several operations failed: messages are still there, as long as the file was held. */
  #lost: { readonly contents: Contents; readonly held: number } | undefined
  /** Messages were moved, and the table's columns say where they were before. */
  #moved = false
  #epoch = 0
  #said = new Set<string>()
  /** The mailbox's own record as a reader found it last, and what it says: the next one mostly finds the same octets. */
  #own: { readonly octets: Buffer; readonly header: FileHeader | undefined } | undefined

  constructor(file: FixedFile, dialect: Dialect, ctx: FixedContext, found: (inode: number) => void) {
    this.#file = file
    this.#dialect = dialect
    this.#ctx = ctx
    this.#found = found
  }
  get contents(): Contents {
    return (this.#contents ??= this.#empty())
  }
  set contents(now: Contents) {
    this.#contents = now
  }
  get state(): FileState | undefined {
    return this.#state
  }
  /** Octets of the file. */
  get size(): number {
    return this.#state?.size ?? 0
  }
  /** Nothing was found out of the file since the table came. */
  get isFirstLook(): boolean {
    return this.#held === -1
  }
  /** Rises when messages are moved; odd while they are. */
  get epoch(): number {
    return this.#epoch
  }
  /** New keywords may come into the mailbox. */
  get mayDefine(): boolean {
    return this.#file.writable && this.#dialect.header !== undefined
  }
  #empty(): Contents {
    const header = emptyHeader(this.#ctx.clock, this.#ctx.mailbox.defaultKeywords)
    return { layout: new Layout(), header, filed: undefined, keywords: new KeywordBits(header.keywords), damage: undefined }
  }

  // ---- whether it is so still

  get #isHeld(): boolean {
    return this.#held > 0 && this.#held === this.#file.holding
  }
  isUnchanged(stat: FileStat | undefined): boolean {
    return this.#state !== undefined && isUnchanged(this.#state, stat, this.#isHeld) && (stat === undefined || this.#held > 0)
  }
  /** At a first look, of the file that is held now, as it is: whether it is the one that was known last time, and nothing has happened since. */
  isKept(stat: FileStat): boolean {
    if (this.#state === undefined || !isUnchanged(this.#state, stat, false)) return false
    this.#held = this.#file.holding
    this.#found(stat.inode)
    return true
  }
  /** All of it may be true of the file: what is held is where it was, and everything else is seen by its times and its size. */
  get isSure(): boolean {
    const state = this.#state
    return state !== undefined && !state.recent && state.size > 0 && this.#isHeld
  }

  // ---- the table

  /** Makes memory agree with the table: after a restart the columns are all that is known, after a dropped edit nothing is. */
  attach(edit: TableEdit): void {
    this.#validity = edit.uidValidity
    if (edit.stamp !== undefined && edit.stamp === this.#stamp) {
      if (this.#moved) this.#saveAll(edit)
      return
    }
    if (this.#isHeld && this.#contents !== undefined) this.#lost = { contents: this.#contents, held: this.#held }
    this.#state = decodeStamp(this.#version, edit.stamp)
    this.#stamp = this.#state === undefined ? undefined : edit.stamp
    this.#held = -1
    this.#contents = undefined
    this.#moved = false
    if (this.#state === undefined) return
    const { header } = this.#state
    this.#contents = { layout: Layout.of(edit.rows, this.#state.octets), header, filed: this.#state.size > 0 ? header : undefined, keywords: new KeywordBits(header.keywords), damage: undefined }
    this.#contents.keywords.publish(edit, this.mayDefine)
  }
  get #version(): string {
    return `${this.#dialect.title}/1`
  }
  /** Puts a message's place into its row. */
  saver(edit: TableEdit): (i: number) => void {
    return (i) => {
      const { layout } = this.contents
      const row = edit.rows.find(layout.at('uid', i))
      if (row !== -1) layout.save(i, row, edit)
    }
  }
  #saveAll(edit: TableEdit): void {
    const { layout } = this.contents
    const save = this.saver(edit)
    for (let i = 0; i < layout.count; i++) save(i)
    this.#moved = false
    if (this.#state !== undefined) this.#stamp = edit.stamp = encodeStamp(this.#version, this.#state)
  }
  /**
   * The file is now as the contents say: in memory and in the table's stamp. `settled`: the last times are of our making. `flagsAtMs`: when flags were
   * last changed as they are known; some may have been since, so that the next look reads them.
   */
  async remember(edit: TableEdit, held: Held | undefined, settled: boolean, flagsAtMs?: number): Promise<void> {
    if (this.#moved) this.#saveAll(edit)
    await this.note(held, settled, flagsAtMs)
    this.#stampNow(edit)
  }
  /** The same in memory alone; the table follows with its next edit. */
  async note(held: Held | undefined, settled: boolean, flagsAtMs?: number): Promise<void> {
    if (held !== undefined) held.stat = await held.file.stat()
    this.#take(held?.stat, settled, flagsAtMs)
  }
  /** The contents are those that were written elsewhere. */
  rememberDone(edit: TableEdit, { stat, settled, flagsAtMs }: KnownDone): void {
    if (this.#moved) this.#saveAll(edit)
    this.#take(stat, settled, flagsAtMs)
    this.#stampNow(edit)
  }
  #stampNow(edit: TableEdit): void {
    this.#validity = edit.uidValidity
    this.#stamp = edit.stamp = this.#state === undefined ? undefined : encodeStamp(this.#version, this.#state)
    edit.uidNext = Math.max(edit.uidNext, this.contents.header.last + 1)
  }
  #take(stat: FileStat | undefined, settled: boolean, flagsAtMs: number | undefined): void {
    const unbroken = this.contents.damage === undefined
    this.#state = unbroken ? fileState(stat && { ...stat, mtimeMs: flagsAtMs ?? stat.mtimeMs }, this.contents.header, this.#ctx.clock.now(), settled, this.contents.layout.knownOctets) : undefined
    this.#held = this.#file.holding
    this.#lost = undefined
    this.#found(stat?.inode ?? 0)
  }
  /**
   * There is no file. A mailbox without messages stays one. Messages are not told as expunged, since the folder may only be out of reach:
   * clients would throw away their own copies.
   */
  async vanish(edit: TableEdit): Promise<void> {
    if (edit.rows.length > 0) throw new MailError('not-found', `${this.#file.path} is gone`)
    this.#contents = this.#empty()
    if (edit.uidValidity === 0) edit.uidValidity = this.contents.header.validity
    this.contents.keywords.publish(edit, this.mayDefine)
    await this.remember(edit, undefined, true)
  }
  /** Says each thing once. */
  say(edit: TableEdit): Say {
    return saidOnce(edit, this.#said)
  }

  // ---- what others did

  /** Makes the table true for the locked file: nothing, its tail, its flags or all of it is read. Returns whether there was something new. */
  async catchUp(held: Held, edit: TableEdit, signal: AbortSignal): Promise<boolean> {
    const state = this.#state
    const { stat } = held
    if (state !== undefined && this.isUnchanged(stat)) return false
    const filed = await readHeader(this.#dialect, held, this.#file.path)
    if (state === undefined || !(await this.#isInPlace(state, held, filed))) return this.#takeAll(held, edit, signal)
    const { contents } = this
    const header = filed ?? state.header
    const keywords = contents.keywords.same(header.keywords) ? contents.keywords : new KeywordBits(header.keywords)
    const sameToken = header.token === state.header.token
    // Tokens of this server's processes are never the same twice.
    const sameFlags = sameToken && (sameMtime(state, stat) ? !state.recent || /^[89a-f]/.test(header.token) : false)
    const last = Math.max(header.last, contents.header.last)
    this.#contents = { ...contents, keywords, header: { ...header, last }, filed }
    keywords.publish(edit, this.mayDefine)
    if (!sameFlags) await this.#readFlags(held, edit)
    if (stat.size === state.size) return false
    const tail = await scanRecords(held.file, this.#dialect, state.size, stat.size, signal)
    if (tail.damage !== undefined) return this.#takeAll(held, edit, signal)
    const { layout } = contents
    const numbered = numberRecords(this.#dialect, tail, this.contents.header, { previous: this.#previous(layout, contents), count: layout.count }, this.#newValidity(edit))
    if (numbered.warning !== undefined) return this.#takeAll(held, edit, signal)
    this.#contents = { ...this.contents, header: { ...this.contents.header, last: numbered.last } }
    addRows(numbered.entries, this.contents, edit)
    return numbered.entries.length > 0
  }
  /** Highest number before the tail: that of the last message or, when it was given by somebody else meanwhile, what was known before. */
  #previous(layout: Layout, contents: Contents): number {
    return this.#dialect.header === undefined ? contents.header.last : layout.count > 0 ? layout.at('uid', layout.count - 1) : 0
  }
  #newValidity(edit: TableEdit): number {
    return Math.max(nowSeconds(this.#ctx.clock), edit.uidValidity + 1)
  }
  /** Whether the messages are where they were. They are while the file is held; otherwise the last of them tells, since they only ever move to the front. */
  async #isInPlace(state: FileState, held: Held, filed: FileHeader | undefined): Promise<boolean> {
    const { stat } = held
    if (!sameFile(state, stat) || stat.size < state.size || (filed !== undefined) !== (this.#dialect.header !== undefined && state.size > 0)) return false
    if (filed !== undefined && filed.validity !== state.header.validity) return false
    if (this.#isHeld) return true
    const { layout } = this.contents
    if (this.#dialect.header === undefined) return stat.size === state.size && stat.ctimeMs === state.ctimeMs && !state.recent
    if (layout.count === 0) return state.size === this.#dialect.header.length
    const last = layout.count - 1
    if (layout.endOf(last) !== state.size) return false
    const octets = Buffer.alloc(layout.at('line', last))
    await readSmall(held.file, octets, layout.at('offset', last))
    const line = parseLine(this.#dialect, octets, 0, octets.length, 0)
    return !('text' in line) && line.stored === layout.at('stored', last) && (line.fields.uid === layout.at('uid', last) || (line.fields.uid === 0 && !layout.has(last, FORM.numbered)))
  }
  /** Reads the flags of all messages that are known, since somebody else changed some. */
  async #readFlags(held: Held, edit: TableEdit): Promise<void> {
    const { layout } = this.contents
    const flagSet = flagSetsOf(this.contents.keywords, edit)
    const gone: number[] = []
    await readFields(held.file, this.#dialect, layout, (i, fields) => {
      const uid = layout.at('uid', i)
      if ((fields.flags & BIT.hidden) !== 0) {
        gone.push(uid)
        return
      }
      const row = edit.rows.find(uid)
      if (row === -1) return
      edit.setFlags(row, flagSet(fields))
      const form = layout.at('form', i) | (this.#dialect.header !== undefined && fields.uid === uid ? FORM.numbered : 0)
      const old = (fields.flags & BIT.old) !== 0
      if (old && !layout.has(i, FORM.old)) edit.setRecent(row, false)
      layout.reform(i, old ? form | FORM.old : form & ~FORM.old)
      layout.save(i, row, edit)
    })
    this.drop(uids.from(gone), edit)
  }
  async #takeAll(held: Held, edit: TableEdit, signal: AbortSignal): Promise<boolean> {
    const before = this.#before(edit)
    const all = await readContents(this.#dialect, held, this.#file.path, this.#ctx, before, signal)
    const { validity } = all.header
    if (all.warning !== undefined) this.say(edit)('warning', all.warning)
    if (all.damage !== undefined) this.say(edit)('warning', all.damage)
    this.#epoch += 2
    if ((edit.uidValidity !== 0 && edit.uidValidity !== validity) || !fitsRows(edit.rows, all.entries.length, (i) => all.entries[i]?.place.uid ?? 0)) edit.reset(validity)
    edit.uidValidity = validity
    this.#contents = { ...all, layout: new Layout() }
    all.keywords.publish(edit, this.mayDefine)
    return takeRows(all.entries, this.contents, edit) > 0
  }
  /** What formats without numbers in the file go on with. */
  #before(edit: TableEdit): Parameters<typeof readContents>[4] {
    if (this.#dialect.header !== undefined || edit.uidValidity === 0) return undefined
    const lost = this.#lost?.held === this.#file.holding ? this.#lost.contents : undefined
    if (lost !== undefined && lost.header.validity === edit.uidValidity) return { header: { ...lost.header, last: Math.max(lost.header.last, edit.uidNext - 1) }, known: lost.layout }
    return { header: { ...emptyHeader(this.#ctx.clock, this.#ctx.mailbox.defaultKeywords), validity: this.#newValidity(edit) }, known: undefined }
  }

  // ---- what is done to it here

  /** Messages were appended as described. */
  entered(edit: TableEdit, messages: readonly Entered[], contents: Contents): void {
    this.#contents = contents
    addAppended(messages, contents.layout, edit)
    contents.keywords.publish(edit, this.mayDefine)
  }
  /** Messages were hidden. */
  drop(gone: UidSet, edit: TableEdit): void {
    if (gone.count === 0) return
    edit.remove(gone)
    const { layout } = this.contents
    this.#contents = { ...this.contents, layout: layout.without(gone) }
  }
  /** Messages are moved by `work`, which answers where they are then; `unfinished` says after a failure whether some were moved. */
  async moving(work: () => Promise<Layout>, unfinished: () => Promise<boolean>): Promise<void> {
    this.#epoch++
    try {
      const layout = await work()
      this.#contents = { ...this.contents, layout }
      this.#moved = true
      this.#lost = undefined
    } catch (error) {
      // Nobody knows how far it came, and where messages will be when it is finished. What was refused before it began moved nothing.
      if (await unfinished()) {
        this.#contents = undefined
        this.#lost = undefined
        this.#held = -1
      }
      throw error
    } finally {
      this.#epoch++
    }
  }
  /** Contents were forgotten by a move that failed. */
  get isLost(): boolean {
    return this.#contents === undefined
  }

  // ---- where messages are

  /** Whether the file that is open now is the one whose messages are known here: another may have got its name, or its octets. */
  async isIn(file: OpenFile): Promise<boolean> {
    const kind = this.#dialect.header
    // Nothing in it would tell it from another.
    if (kind === undefined) return this.#isHeld || this.#state === undefined || sameFile(this.#state, await file.stat())
    const octets = Buffer.allocUnsafe(kind.length)
    if (file.readNow?.(octets, 0) !== true && (await file.read(octets, 0)) < kind.length) return false
    if (this.#own?.octets.equals(octets) !== true) this.#own = { octets, header: kind.parse(octets) }
    return this.isOf(this.#own.header)
  }
  /** Whether a file that says this of itself is. */
  isOf(filed: FileHeader | undefined): boolean {
    return filed !== undefined && (filed.validity === this.#validity || filed.validity === this.#contents?.filed?.validity)
  }

  place(uid: number, rows: Rows): Place | undefined {
    const layout = this.#contents?.layout
    const i = layout?.find(uid) ?? -1
    if (layout !== undefined && i !== -1) return layout.place(i)
    // Hidden messages are where they were.
    const row = rows.find(uid)
    return row === -1 ? undefined : placeOfRow(rows, row)
  }
  /** For who copies them; undefined when one is not there, or they may be moved. */
  async stored(wanted: readonly number[], rows: Rows): Promise<{ readonly from: StoredIn; readonly places: readonly Place[] } | undefined> {
    const state = this.#state
    if (state === undefined || !this.isSure) return undefined
    const epoch = this.#epoch
    const places: Place[] = []
    for (const uid of wanted) {
      const place = this.place(uid, rows)
      if (place === undefined || place.header === 0) return undefined
      places.push(place)
    }
    const { path } = this.#file
    const now = await this.#ctx.files.stat(path)
    const isThere = isUnchanged(state, now, true) && this.isSure && this.#epoch === epoch && epoch % 2 === 0
    return isThere ? { from: { path, state }, places } : undefined
  }
}
