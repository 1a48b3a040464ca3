import {
  MailError, uids, type FilePlace, type FileStat, type FlagChange, type MailboxSource, type OpenFile, type Rows, type SourceTraits, type StoredMessage,
  type TableEdit, type UidSet, type Wants,
} from 'mailwright/api'
import { FileWatch } from '../file-watch.js'
import { reasonOf, type Say } from '../lock-context.js'
import { PROTECTED } from '../protected.js'
import { isOutOfRoom, outOfRoom } from '../safe-changes.js'
import { nowSeconds } from '../state-directory.js'
import { compact, isWorthwhile } from './compaction.js'
import { emptyHeader, mustBeWhole, owes, readContents, readHeader, settle, settling, type Contents } from './contents.js'
import type { FixedContext } from './context.js'
import { BIT, SYSTEM_BITS, type Dialect } from './dialect.js'
import { FixedFile, type Held } from './fixed-file.js'
import type { FileHeader } from './file-header.js'
import { KeywordBits } from './keyword-bits.js'
import { changeKnown, knownFields, type KnownDone, type KnownWork } from './known-change.js'
import { COLUMNS, FORM, Layout, placeOfRow, type Place } from './layout.js'
import { numberRecords } from './numbering.js'
import type { Patch } from './patch.js'
import type { Readable } from './readable.js'
import { readMessages } from './reading.js'
import { readFields } from './fields.js'
import { parseLine } from './record.js'
import { addAppended, addRows, fits, flagSetsOf, takeRows, type Entered } from './rows.js'
import { scanRecords } from './scan.js'
import type { StoredIn } from './stored.js'
import { decodeStamp, encodeStamp, fileState, isUnchanged, sameFile, sameMtime, type FileState } from './stamp.js'
import { flagsChanged, keepAccess, mailCame, mailSeen } from './times.js'

/** Fields to be written, what the mailbox is with them, and what follows. */
interface Wanted {
  readonly contents: Contents
  readonly patches: readonly Patch[]
  readonly written: () => void
}
/** What could not be written is not tried again for so long, unless the mailbox changes. */
const FULL_FOR_MS = 30_000

/**
 * A mailbox file with records of fixed form. It is held open with its kernel lock shared, as all programs of the family do, so that messages
 * stay where they are; the name lock is taken for each operation alone.
 */
export class FixedSource implements MailboxSource {
  readonly traits: SourceTraits
  readonly file: FixedFile
  readonly #ctx: FixedContext
  readonly #dialect: Dialect
  /** What the table's stamp says, decoded. */
  #state: FileState | undefined
  #stamp: string | undefined
  /** Since when the file was held when the state was taken. */
  #held = -1
  #contents: Contents | undefined
  /** What was known before one or several operations failed: messages are still there, as long as the file was held. */
  #lost: { readonly contents: Contents; readonly held: number } | undefined
  /** Messages were moved, and the table's columns say where they were before. */
  #moved = false
  /** Rises when messages are moved; odd while they are. */
  #epoch = 0
  #claiming = false
  /** When what the file lacks could not be written. */
  #fullMs = Number.NEGATIVE_INFINITY
  #said = new Set<string>()
  #watched: FileWatch | undefined
  readonly watch?: (changed: () => void) => Disposable
  readonly reclaim?: (signal: AbortSignal) => Promise<void>

  constructor(place: FilePlace, writable: boolean, dialect: Dialect, ctx: FixedContext) {
    this.#ctx = ctx
    this.#dialect = dialect
    this.file = new FixedFile(place, writable, ctx)
    this.traits = { writable, ...(writable ? {} : { protected: PROTECTED }), uidsPersist: dialect.header !== undefined, modseqs: 'numbered-by-core', facts: [], columns: COLUMNS }
    if (ctx.watch) this.watch = (changed) => this.#watch(changed)
    if (dialect.hides) this.reclaim = (signal) => this.#reclaim(signal)
  }
  get path(): string {
    return this.file.path
  }
  get dialect(): Dialect {
    return this.#dialect
  }
  /** A read-write session had the mailbox at the last look: new messages are given to it. */
  get claiming(): boolean {
    return this.#claiming
  }
  /** Octets of the file as it is known. */
  get size(): number {
    return this.#state?.size ?? 0
  }
  get contents(): Contents {
    return (this.#contents ??= this.#empty(undefined))
  }
  #empty(before: FileHeader | undefined): Contents {
    const header = before ?? emptyHeader(this.#ctx.clock, this.#ctx.mailbox.defaultKeywords)
    return { layout: new Layout(), header, filed: undefined, keywords: new KeywordBits(header.keywords), damage: undefined }
  }

  // ---- the table

  /** Makes memory agree with the table: after a restart the columns are all that is known, after a dropped edit nothing is. */
  attach(edit: TableEdit): void {
    if (edit.stamp !== undefined && edit.stamp === this.#stamp) {
      if (this.#moved) this.#saveAll(edit)
      return
    }
    if (this.#held > 0 && this.#held === this.file.holding && this.#contents !== undefined) this.#lost = { contents: this.#contents, held: this.#held }
    this.#state = decodeStamp(this.#version, edit.stamp)
    this.#stamp = this.#state === undefined ? undefined : edit.stamp
    this.#held = -1
    this.#contents = undefined
    this.#moved = false
    if (this.#state === undefined) return
    const { header } = this.#state
    this.#contents = { layout: Layout.of(edit.rows), header, filed: this.#state.size > 0 ? header : undefined, keywords: new KeywordBits(header.keywords), damage: undefined }
    this.#contents.keywords.publish(edit, this.#mayDefine)
  }
  get #version(): string {
    return `${this.#dialect.title}/1`
  }
  get #mayDefine(): boolean {
    return this.traits.writable && this.#dialect.header !== undefined
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
  /** What is remembered from now on, in memory and in the table's stamp. `settled`: the last times are of our making. */
  async remember(edit: TableEdit, held: Held | undefined, settled: boolean): Promise<void> {
    await this.#note(held, settled)
    this.#stampNow(edit)
  }
  #stampNow(edit: TableEdit): void {
    this.#stamp = edit.stamp = this.#state === undefined ? undefined : encodeStamp(this.#version, this.#state)
    edit.uidNext = Math.max(edit.uidNext, this.contents.header.last + 1)
  }
  async #note(held: Held | undefined, settled: boolean): Promise<void> {
    if (held !== undefined) held.stat = await held.file.stat()
    this.#found(held?.stat, settled)
  }
  #found(stat: FileStat | undefined, settled: boolean): void {
    const unbroken = this.contents.damage === undefined
    this.#state = unbroken ? fileState(stat, this.contents.header, this.#ctx.clock.now(), settled) : undefined
    this.#held = this.file.holding
    this.#lost = undefined
    this.#watched?.follow(stat?.inode ?? 0)
  }
  /** Says each thing once. */
  say(edit: TableEdit): Say {
    return (severity, text) => {
      if (this.#said.has(text)) return
      this.#said.add(text)
      edit.notice(severity, text)
    }
  }
  #lot(): number {
    const [high = 0, low = 0] = this.#ctx.locks.random(2)
    return (high * 256 + low) % 997
  }

  // ---- looking

  async refresh(edit: TableEdit, how: { readonly claimRecent: boolean; readonly found?: FileStat }, signal: AbortSignal): Promise<void> {
    this.attach(edit)
    const claim = how.claimRecent && this.traits.writable
    this.#claiming = claim
    // What was found before this turn may be older than what an operation of this process left.
    const isAsKnown = (stat: FileStat | undefined): boolean =>
      this.#state !== undefined && this.#isUnchanged(stat) && !(claim && owes(this.contents, true) && this.#ctx.clock.now() - this.#fullMs > FULL_FOR_MS)
    if ((how.found !== undefined && isAsKnown(how.found)) || isAsKnown(await this.#ctx.files.stat(this.path))) return
    const found = await this.file.locked(signal, this.say(edit), async (held) => {
      const before = held.stat
      const first = this.#held === -1
      const news = await this.catchUp(held, edit, signal)
      const whole = this.contents.damage === undefined
      const writing = claim && whole && owes(this.contents, true) && (await this.#settleClaimed(held, edit))
      if (claim && whole && first && this.#dialect.hides) await this.#compactIfThereIsRoom(held, signal)
      const settled = writing && (await flagsChanged(held.file, this.#ctx.clock.now(), this.#lot(), before.mtimeMs))
      if (!writing && claim && news) await mailSeen(held.file, this.#ctx.clock.now())
      if (!claim) await keepAccess(held.file, before)
      if (this.#moved) this.#saveAll(edit)
      await this.remember(edit, held, settled)
      return true
    })
    if (found === undefined) await this.#vanish(edit)
  }
  /** Writes what the file lacks. Where it cannot be written, mail can be read nevertheless: numbers are in the table alone for now. */
  async #settleClaimed(held: Held, edit: TableEdit): Promise<boolean> {
    try {
      this.#contents = await settle(this.file, held, this.#dialect, settling(this.#dialect, this.contents, this.#ctx.locks.random, true), this.saver(edit))
      return true
    } catch (error) {
      if (!isOutOfRoom(outOfRoom(error))) throw error
      this.#fullMs = this.#ctx.clock.now()
      this.say(edit)('warning', `Mailbox ${this.path} cannot be updated: ${reasonOf(error)}`)
      return false
    }
  }
  #isUnchanged(stat: FileStat | undefined): boolean {
    const held = this.#held > 0 && this.#held === this.file.holding
    return this.#state !== undefined && isUnchanged(this.#state, stat, held) && (stat === undefined || this.#held > 0)
  }
  /**
   * There is no file. A mailbox without messages stays one. Messages are not told as expunged, since the folder may only be out of reach:
   * clients would throw away their own copies.
   */
  async #vanish(edit: TableEdit): Promise<void> {
    if (edit.rows.length > 0) throw new MailError('not-found', `${this.path} is gone`)
    this.#contents = this.#empty(undefined)
    if (edit.uidValidity === 0) edit.uidValidity = this.contents.header.validity
    this.contents.keywords.publish(edit, this.#mayDefine)
    await this.remember(edit, undefined, true)
  }

  /** Makes the table true for the locked file: nothing, its tail, its flags or all of it is read. Returns whether there was something new. */
  async catchUp(held: Held, edit: TableEdit, signal: AbortSignal): Promise<boolean> {
    const state = this.#state
    const { stat } = held
    if (state !== undefined && this.#isUnchanged(stat)) return false
    const filed = await readHeader(this.#dialect, held, this.path)
    if (state === undefined || !(await this.#isInPlace(state, held, filed))) return this.#takeAll(held, edit, signal)
    const { contents } = this
    const header = filed ?? state.header
    const keywords = contents.keywords.same(header.keywords) ? contents.keywords : new KeywordBits(header.keywords)
    const sameToken = header.token === state.header.token
    // Tokens of this server's processes are never the same twice.
    const sameFlags = sameToken && (sameMtime(state, stat) ? !state.recent || /^[89a-f]/.test(header.token) : false)
    const last = Math.max(header.last, contents.header.last)
    this.#contents = { ...contents, keywords, header: { ...header, last }, filed }
    keywords.publish(edit, this.#mayDefine)
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
    if (this.#held > 0 && this.#held === this.file.holding) return true
    const { layout } = this.contents
    if (this.#dialect.header === undefined) return stat.size === state.size && stat.ctimeMs === state.ctimeMs && !state.recent
    if (layout.count === 0) return state.size === this.#dialect.header.length
    const last = layout.count - 1
    if (layout.endOf(last) !== state.size) return false
    const octets = Buffer.alloc(layout.at('line', last))
    await held.file.read(octets, layout.at('offset', last))
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
      layout.form[i] = old ? form | FORM.old : form & ~FORM.old
      layout.save(i, row, edit)
    })
    this.#drop(uids.from(gone), edit)
  }
  #drop(gone: UidSet, edit: TableEdit): void {
    if (gone.count === 0) return
    edit.remove(gone)
    const { layout } = this.contents
    this.#contents = { ...this.contents, layout: layout.without(gone) }
  }

  async #takeAll(held: Held, edit: TableEdit, signal: AbortSignal): Promise<boolean> {
    const before = this.#before(edit)
    const all = await readContents(this.#dialect, held, this.path, this.#ctx, before, signal)
    const { validity } = all.header
    if (all.warning !== undefined) this.say(edit)('warning', all.warning)
    if (all.damage !== undefined) this.say(edit)('warning', all.damage)
    this.#epoch += 2
    if ((edit.uidValidity !== 0 && edit.uidValidity !== validity) || !fits(edit.rows, all.entries)) edit.reset(validity)
    edit.uidValidity = validity
    this.#contents = { ...all, layout: new Layout() }
    all.keywords.publish(edit, this.#mayDefine)
    return takeRows(all.entries, this.contents, edit) > 0
  }
  /** What formats without numbers in the file go on with. */
  #before(edit: TableEdit): Parameters<typeof readContents>[4] {
    if (this.#dialect.header !== undefined || edit.uidValidity === 0) return undefined
    const lost = this.#lost?.held === this.file.holding ? this.#lost.contents : undefined
    if (lost !== undefined && lost.header.validity === edit.uidValidity) return { header: { ...lost.header, last: Math.max(lost.header.last, edit.uidNext - 1) }, known: lost.layout }
    return { header: { ...emptyHeader(this.#ctx.clock, this.#ctx.mailbox.defaultKeywords), validity: this.#newValidity(edit) }, known: undefined }
  }
  /** Messages were appended as described. */
  entered(edit: TableEdit, messages: readonly Entered[], contents: Contents): void {
    this.#contents = contents
    addAppended(messages, contents.layout, edit)
    contents.keywords.publish(edit, this.#mayDefine)
  }
  /** Where messages lie, for who copies them; undefined when one is not there, or they may be moved. */
  async stored(wanted: readonly number[], rows: Rows): Promise<{ readonly from: StoredIn; readonly places: readonly Place[] } | undefined> {
    const state = this.#state
    if (state === undefined || !this.#isKnown) return undefined
    const epoch = this.#epoch
    const places: Place[] = []
    for (const uid of wanted) {
      const place = this.#placeOf(uid, rows)
      if (place === undefined || place.header === 0) return undefined
      places.push(place)
    }
    const now = await this.#ctx.files.stat(this.path)
    const isThere = isUnchanged(state, now, true) && this.#isKnown && this.#epoch === epoch && epoch % 2 === 0
    return isThere ? { from: { path: this.path, state }, places } : undefined
  }
  /** After a delivery: nobody has read since, unless the messages were given to a session at once. */
  async delivered(edit: TableEdit, held: Held, before: FileStat): Promise<void> {
    const now = this.#ctx.clock.now()
    if (this.#claiming) await mailSeen(held.file, now, before.mtimeMs)
    else await mailCame(held.file, before, now)
    await this.remember(edit, held, false)
  }

  // ---- changing

  async store(change: FlagChange, edit: TableEdit, signal: AbortSignal): Promise<UidSet> {
    let refused: UidSet = uids.none
    let changed: UidSet = uids.none
    await this.#patching(edit, signal, () => {
      const keywords = change.how === 'remove' || !this.#mayDefine ? this.contents.keywords : this.contents.keywords.with(change.keywords)
      // What finds no bit is no keyword of this mailbox.
      const outcome = edit.apply({ ...change, keywords: change.keywords.filter((word) => keywords.has(word)) })
      refused = outcome.refused
      // What was applied the first time is still to be written the second time.
      changed = changed.or(outcome.changed)
      const { layout } = this.contents
      const patches: Patch[] = []
      for (const i of layout.indices(changed)) {
        const set = edit.rows.flagSets[edit.rows.flags[edit.rows.find(layout.at('uid', i))] ?? 0]
        patches.push({ i, clear: SYSTEM_BITS, set: set?.system ?? 0, keywords: keywords.mask(set?.keywords ?? []), uid: undefined })
      }
      const contents = { ...this.contents, keywords, header: { ...this.contents.header, keywords: keywords.names } }
      return { contents, patches, written: () => keywords.publish(edit, this.#mayDefine) }
    })
    return refused
  }

  async expunge(among: UidSet, how: { readonly always: boolean }, edit: TableEdit, signal: AbortSignal): Promise<void> {
    const wanted = (): UidSet => {
      const { layout } = this.contents
      return how.always ? uids.from([...layout.indices(among)].map((i) => layout.at('uid', i))) : edit.deleted(among)
    }
    if (this.#dialect.hides) {
      return this.#patching(edit, signal, () => {
        const gone = wanted()
        const patches = [...this.contents.layout.indices(gone)].map((i): Patch => ({ i, clear: 0, set: BIT.hidden, keywords: undefined, uid: undefined }))
        return { contents: this.contents, patches, written: () => this.#drop(gone, edit) }
      })
    }
    await this.#changing(edit, signal, async (held) => {
      const gone = wanted()
      if (gone.count === 0) return false
      const { layout } = this.contents
      const alone = await this.file.alone(() => this.#compact(held, (i) => !gone.has(layout.at('uid', i)), signal))
      if (!alone) throw new MailError('in-use', "Can't expunge because mailbox is in use by another process")
      edit.remove(gone)
      return true
    })
  }
  async #compact(held: Held, keep: (i: number) => boolean, signal: AbortSignal): Promise<void> {
    this.#epoch++
    try {
      const layout = await compact(this.file, held, this.contents.layout, this.#dialect.header?.length ?? 0, keep, signal)
      this.#contents = { ...this.contents, layout }
      this.#moved = true
      this.#lost = undefined
      held.stat = await held.file.stat()
    } catch (error) {
      // Nobody knows how far it came, and where messages will be when it is finished. What was refused before it began moved nothing.
      if ((await this.file.changes.look(held.stat)).interrupted) {
        this.#contents = undefined
        this.#lost = undefined
        this.#held = -1
      }
      throw error
    } finally {
      this.#epoch++
    }
  }
  #isWorthwhile(size: number): boolean {
    return isWorthwhile(this.contents.layout, this.#dialect.header?.length ?? 0, size)
  }
  async #compactIfWorthwhile(held: Held, signal: AbortSignal): Promise<boolean> {
    if (!this.#isWorthwhile(held.stat.size)) return false
    return this.file.alone(() => this.#compact(held, () => true, signal))
  }
  /** A mailbox is looked at though it cannot be made shorter. */
  async #compactIfThereIsRoom(held: Held, signal: AbortSignal): Promise<void> {
    try {
      await this.#compactIfWorthwhile(held, signal)
    } catch (error) {
      if (!isOutOfRoom(error) || this.#contents === undefined) throw error
    }
  }
  /** The table is not at hand: what it says of places follows with its next edit. */
  async #reclaim(signal: AbortSignal): Promise<void> {
    if (!this.traits.writable || this.#state === undefined || !this.#isWorthwhile(this.#state.size)) return
    await this.file.locked(signal, () => undefined, async (held) => {
      const before = held.stat
      // What others did is found by the next look, and this again then.
      if (this.contents.damage !== undefined || !this.#isUnchanged(held.stat)) return
      if (!(await this.#compactIfWorthwhile(held, signal))) return
      const settled = await flagsChanged(held.file, this.#ctx.clock.now(), this.#lot(), before.mtimeMs)
      await this.#note(held, settled)
    })
  }

  /** An operation that may write; afterwards the table is true again. `work` says whether it wrote. */
  async #changing(edit: TableEdit, signal: AbortSignal, work: (held: Held) => Promise<boolean>): Promise<void> {
    this.attach(edit)
    if (!this.traits.writable) throw new MailError('read-only', `${this.path} is read-only`)
    const done = await this.file.locked(signal, this.say(edit), async (held) => {
      const before = held.stat
      await this.catchUp(held, edit, signal)
      mustBeWhole(this.contents)
      const wrote = await work(held)
      const settled = wrote && (await flagsChanged(held.file, this.#ctx.clock.now(), this.#lot(), before.mtimeMs))
      if (this.#moved) this.#saveAll(edit)
      await this.remember(edit, held, settled)
      return true
    })
    if (done === undefined) await this.#vanish(edit)
  }
  /** Writes fields. `wanted` is asked again where the mailbox was not as it was known. */
  async #patching(edit: TableEdit, signal: AbortSignal, wanted: () => Wanted): Promise<void> {
    this.attach(edit)
    if (this.traits.writable && this.goesAtOnce && (await this.#patchKnown(edit, wanted()))) return
    await this.#changing(edit, signal, async (held) => {
      const { contents, patches, written } = wanted()
      if (patches.length === 0) return false
      this.#contents = contents
      this.#contents = await settle(this.file, held, this.#dialect, settling(this.#dialect, contents, this.#ctx.locks.random, false, patches), this.saver(edit))
      written()
      return true
    })
  }
  async #patchKnown(edit: TableEdit, { contents, patches, written }: Wanted): Promise<boolean> {
    // What would change nothing may not be so any more: that is looked at.
    if (patches.length === 0) return false
    const settled = settling(this.#dialect, contents, this.#ctx.locks.random, false, patches)
    const done = await this.changeKnown(edit, knownFields(settled, this.#ctx.clock.now(), this.#lot()))
    if (done === undefined) return false
    this.#contents = contents
    this.#contents = settled.done(this.saver(edit))
    written()
    this.changedKnown(edit, done)
    return true
  }
  /** Whether all that is known of the file may be true of it: what is held is where it was, and everything else is seen by its times and its size. */
  get #isKnown(): boolean {
    const state = this.#state
    return state !== undefined && !state.recent && state.size > 0 && this.#held > 0 && this.#held === this.file.holding
  }
  /** Whether a change may be made by `changeKnown`. */
  get goesAtOnce(): boolean {
    return this.#ctx.lane !== undefined && this.#isKnown
  }
  /** Undefined: it is not so any more, or not so for sure. */
  async changeKnown(edit: TableEdit, work: KnownWork): Promise<KnownDone | undefined> {
    const { lane } = this.#ctx
    if (lane === undefined || this.#state === undefined) return undefined
    return changeKnown(lane, this.#dialect.task, this.#ctx, this.file, this.#state, work, this.say(edit))
  }
  /** After that, when the contents are those that were written. */
  changedKnown(edit: TableEdit, { stat, settled }: KnownDone): void {
    if (this.#moved) this.#saveAll(edit)
    this.#found(stat, settled)
    this.#stampNow(edit)
  }

  // ---- reading

  read(set: UidSet, wants: Wants, rows: Rows, signal: AbortSignal): AsyncIterable<readonly StoredMessage[]> {
    return readMessages(this.#readable(rows, signal), set, wants, rows, signal)
  }
  #readable(rows: Rows, signal: AbortSignal): Readable {
    return {
      dialect: this.#dialect,
      place: (uid) => this.#placeOf(uid, rows),
      epoch: () => this.#epoch,
      settled: () => this.#ctx.turns.run(this.path, () => Promise.resolve()),
      using: (work) => this.#using(work, signal),
      relocate: (uid) => this.#relocate(uid, signal),
    }
  }
  #placeOf(uid: number, rows: Rows): Place | undefined {
    const layout = this.#contents?.layout
    const i = layout?.find(uid) ?? -1
    if (layout !== undefined && i !== -1) return layout.place(i)
    // Hidden messages are where they were.
    const row = rows.find(uid)
    return row === -1 ? undefined : placeOfRow(rows, row)
  }
  async #using<T>(work: (file: OpenFile) => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    if (this.file.holding === 0) await this.file.locked(signal, () => undefined, () => Promise.resolve())
    return this.file.using(work)
  }
  /** The message is not where it should be: somebody who does not heed locks moved it. */
  async #relocate(uid: number, signal: AbortSignal): Promise<Place | undefined> {
    if (this.#dialect.header === undefined) return undefined
    const found = await this.file.locked(signal, () => undefined, (held) => readContents(this.#dialect, held, this.path, this.#ctx, undefined, signal))
    return found?.entries.find(({ place }) => place.uid === uid)?.place
  }

  #watch(changed: () => void): Disposable {
    this.#watched?.[Symbol.dispose]()
    const watch = new FileWatch(this.#ctx, this.path, changed)
    this.#watched = watch
    watch.follow(this.#state?.inode ?? 0)
    return watch
  }
  async close(): Promise<void> {
    this.#watched?.[Symbol.dispose]()
    this.#watched = undefined
    await this.file.close()
  }
}
