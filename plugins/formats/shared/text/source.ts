import {
  MailError, uids, type FilePlace, type FileStat, type FlagChange, type FlagSet, type MailboxSource, type Rows, type SourceTraits,
  type StoredMessage, type TableEdit, type TellWait, type UidSet, type Wants,
} from 'mailwright/api'
import { FileWatch } from '../file-watch.js'
import { fitsRows } from '../fits-rows.js'
import { reasonOf, type Say } from '../locks/lock-context.js'
import { sayWaits } from '../locks/wait-lines.js'
import { localZone } from '../internal-date.js'
import { isKeyword } from '../keyword-bits.js'
import { PROTECTED } from '../protected.js'
import { isOutOfRoom } from '../changes/safe-changes.js'
import { saidOnce } from '../said-once.js'
import { nowSeconds } from '../changes/state-directory.js'
import type { TextContext } from './context.js'
import type { TextDialect } from './dialect.js'
import { FlagReader, KeywordTable } from './flags.js'
import { COLUMNS, FORM, Layout, type Place } from './layout.js'
import { KeptFile } from './kept-file.js'
import { MailboxFile, type HeldFile } from './mailbox-file.js'
import type { Readable } from './readable.js'
import { readMessages } from './reading.js'
import { scanFile, scanTail, type Known, type Scanned } from './scan.js'
import { compare, decodeStamp, encodeStamp, fileState, NO_BASE, numbersAt, onlyGrew, type Base, type FileState } from './stamp.js'
import { isInPlace, placesOf, type StoredAt, type StoredIn } from './stored.js'
import { takeAll, takeTail } from './taking.js'

/** A message that was appended, for the table. */
export interface Entered {
  readonly place: Place
  readonly system: number
  readonly keywords: readonly string[]
  readonly date: { readonly ms: number; readonly zone: number }
}

const JUST_NOW_MS = 5000
/** A full disk is not tried again for so long, unless the mailbox changes. */
const FULL_FOR_MS = 30_000
/** More warnings about one file are of no use to anybody. */
const MOST_NOTICES = 20

/**
 * A traditional mailbox file. Every operation takes the locks, makes sure that the file is as remembered, works, and
 * gives the locks back; in between nothing but a descriptor for reading is kept, so that other programs use the same file freely.
 */
export class TextSource implements MailboxSource {
  readonly traits: SourceTraits
  readonly file: MailboxFile
  readonly #ctx: TextContext
  readonly #path: string
  readonly #kept: KeptFile
  /** What the table's stamp says, decoded. */
  #state: FileState | undefined
  #stamp: string | undefined
  #layout: Layout | undefined
  /** That of the layout. */
  #validity = 0
  #keywords = new KeywordTable([])
  /** Some message lacks its number or `O` in the file, or the file lacks its base. */
  #owes = false
  /** A read-write session had the mailbox at the last look: new messages are given to it. */
  #claiming = false
  /** When another program was last found to have it open, though it was asked. */
  #heldMs = Number.NEGATIVE_INFINITY
  /** When there was last no room for what the file lacks. */
  #fullMs = Number.NEGATIVE_INFINITY
  readonly #said = new Set<string>()
  #watched: FileWatch | undefined
  readonly watch?: (changed: () => void) => Disposable

  constructor(place: FilePlace, writable: boolean, ctx: TextContext) {
    this.#ctx = ctx
    this.#path = place.path
    this.#kept = new KeptFile(ctx.files, place.path, ctx.kept)
    this.file = new MailboxFile(place, ctx)
    this.traits = { writable, ...(writable ? {} : { protected: PROTECTED }), uidsPersist: true, modseqs: 'numbered-by-core', facts: [], columns: COLUMNS }
    if (ctx.watch) this.watch = (changed) => this.#watch(changed)
  }

  get claiming(): boolean {
    return this.#claiming
  }
  get path(): string {
    return this.#path
  }
  get dialect(): TextDialect {
    return this.#ctx.dialect
  }

  // ---- the table

  /** Makes memory agree with the table: after a restart the columns are all that is known, after a dropped edit nothing is. */
  attach(edit: TableEdit): void {
    this.#validity = edit.uidValidity
    if (edit.stamp !== undefined && edit.stamp === this.#stamp) return
    this.#state = decodeStamp(this.#ctx.dialect, edit.stamp)
    this.#stamp = this.#state === undefined ? undefined : edit.stamp
    this.#layout = undefined
    if (this.#state === undefined) return
    this.#layout = Layout.of(edit.rows, this.#state.size)
    this.#keywords = new KeywordTable(this.#state.base.keywords)
    this.#keywords.publish(edit, this.traits.writable)
    this.#noteDebts()
  }
  get layout(): Layout {
    return (this.#layout ??= new Layout())
  }
  get base(): Base {
    return this.#state?.base ?? NO_BASE
  }
  get keywords(): KeywordTable {
    return this.#keywords
  }
  #noteDebts(): void {
    this.#owes = this.layout.count > 0 && (this.base.kind === 'none' || this.layout.lacks(FORM.numbered | FORM.old))
  }
  /** What is remembered from now on, in memory and in the table's stamp. */
  async remember(edit: TableEdit, held: HeldFile | undefined, layout: Layout, base: Base): Promise<void> {
    this.#remember(edit, layout, fileState(await held?.file.stat(), base, held?.mark))
  }
  #remember(edit: TableEdit, layout: Layout, found: FileState): void {
    // Behind a place of damage nothing is known: each look begins there anew.
    const state = layout.end < found.size ? { ...found, size: layout.end } : found
    const { base } = state
    this.#layout = layout
    this.#validity = edit.uidValidity
    this.#state = state
    this.#stamp = edit.stamp = encodeStamp(this.#ctx.dialect, this.#state)
    this.#noteDebts()
    this.#watched?.follow(this.#state.inode)
    this.#ctx.facts.set(this.#path, { state: this.#state, validity: edit.uidValidity, last: edit.uidNext - 1, numbered: base.kind !== 'none' && !layout.lacks(FORM.numbered) })
  }
  /** Says each thing once. */
  say(edit: TableEdit): Say {
    return saidOnce(edit, this.#said)
  }

  // ---- operations

  async heldElsewhere(signal: AbortSignal, waits?: TellWait): Promise<boolean> {
    // Whoever has just not given it up is not asked again.
    return this.file.heldElsewhere(this.#ctx.clock.steady() - this.#heldMs < JUST_NOW_MS ? 'alone' : 'owner', signal, sayWaits(waits))
  }
  async mayExpunge(signal: AbortSignal): Promise<void> {
    if (await this.heldElsewhere(signal)) throw inUse()
  }

  async refresh(edit: TableEdit, how: { readonly claimRecent: boolean; readonly found?: FileStat }, signal: AbortSignal): Promise<void> {
    this.attach(edit)
    const claim = how.claimRecent && this.traits.writable
    this.#claiming = claim
    // What was found before this turn may be older than what an operation of this process left.
    const isAsKnown = (stat: FileStat | undefined): boolean => this.#state !== undefined && compare(this.#state, stat) === 'same' && !(claim && this.#owes && this.#ctx.clock.steady() - this.#fullMs > FULL_FOR_MS)
    if ((how.found !== undefined && isAsKnown(how.found)) || isAsKnown(await this.#ctx.files.stat(this.#path))) return
    const found = await this.file.locked(claim ? 'owner' : 'shared', signal, this.say(edit), async (held) => {
      await this.catchUp(held, edit, signal)
      const writing = claim && this.#owes && held.owner && (await this.#settle(held, edit, signal))
      if (!writing && claim && !held.owner) {
        this.#heldMs = this.#ctx.clock.steady()
        this.say(edit)('warning', 'Mailbox is open by another process, access is readonly')
      }
      if (writing) await this.file.settleTimes(held)
      else if (claim) await this.file.settleIfNew(held)
      else {
        this.#remember(edit, this.layout, fileState(await this.file.keepTimes(held.file, held.stat), this.base, held.mark))
        return true
      }
      await this.remember(edit, held, this.layout, this.base)
      return true
    })
    if (found === undefined) await this.#vanish(edit)
  }
  /**
   * Writes what the file lacks. Where there is no room for it, mail can be read and deleted nevertheless: numbers that others would give as well
   * are in the table alone for now.
   */
  async #settle(held: HeldFile, edit: TableEdit, signal: AbortSignal): Promise<boolean> {
    if (this.layout.end < held.stat.size) return false
    try {
      await this.#write(held, edit, { claim: true, keep: () => true }, signal)
      return true
    } catch (error) {
      if (!isOutOfRoom(error)) throw error
      this.#fullMs = this.#ctx.clock.steady()
      this.say(edit)('warning', `Mailbox ${this.#path} cannot be updated: ${reasonOf(error)}`)
      return false
    }
  }
  /**
   * There is no file. A mailbox without messages stays one. Messages are not told as expunged, since the folder may only be out of reach:
   * clients would throw away their own copies.
   */
  async #vanish(edit: TableEdit): Promise<void> {
    if (edit.rows.length > 0) throw new MailError('not-found', `${this.#path} is gone`)
    if (edit.uidValidity === 0) edit.uidValidity = nowSeconds(this.#ctx.clock)
    this.#keywords = new KeywordTable(this.#ctx.mailbox.defaultKeywords)
    this.#keywords.publish(edit, this.traits.writable)
    await this.remember(edit, undefined, new Layout(), NO_BASE)
  }

  /** Makes the table true for the locked file: nothing, its tail, or all of it is scanned. */
  async catchUp(held: HeldFile, edit: TableEdit, signal: AbortSignal): Promise<void> {
    const difference = this.#state === undefined ? 'other' : compare(this.#state, held.stat)
    if (difference === 'same') return
    const known: Known = { validity: edit.uidValidity, last: Math.max(0, edit.uidNext - 1), layout: this.#layout ?? Layout.of(edit.rows, 0) }
    const untouched = difference === 'grown' && this.#state !== undefined && (await onlyGrew(this.#state, held))
    const tail = untouched ? await scanTail(this.#ctx.dialect, held.file, held.stat.size, this.base, known, signal) : undefined
    if (tail !== undefined && tail.stopped === held.stat.size) {
      this.#addTail(tail, edit)
      return
    }
    // Without a trusted state the file alone decides what is there, unless it says nothing of numbers.
    let all = await scanFile(this.#ctx.dialect, held.file, held.stat.size, this.#state === undefined ? { ...known, doubtful: true } : known, signal)
    if (this.#state === undefined && all.base.kind === 'none' && edit.uidValidity !== 0) all = await scanFile(this.#ctx.dialect, held.file, held.stat.size, known, signal)
    if (all.stopped < held.stat.size && all.layout.count === 0 && all.base.kind === 'none') {
      this.#ctx.recognised.forget(this.#path)
      throw new MailError('corrupt', `${this.#path} is not in valid mailbox format`)
    }
    this.#takeAll(all, edit)
    if (all.stopped < held.stat.size) this.say(edit)('warning', notWhole(this.#path, all.stopped))
  }
  #addTail(tail: Scanned, edit: TableEdit): void {
    takeTail(tail, this.layout, edit, new FlagReader(edit, this.#keywords))
    this.#finishScan(tail, edit, tail.base)
  }
  #takeAll(all: Scanned, edit: TableEdit): void {
    const { layout, base } = all
    let { validity } = all.uids
    if (validity === 0) {
      validity = Math.max(this.#ctx.facts.beginning(this.#path, nowSeconds(this.#ctx.clock)), edit.uidValidity + 1)
      if (layout.count > 0) edit.notice('information', 'Assigning new unique identifiers to all messages')
    }
    if ((edit.uidValidity !== 0 && edit.uidValidity !== validity) || !fitsRows(edit.rows, layout.count, (i) => layout.at(i, layout.uid))) edit.reset(validity)
    edit.uidValidity = validity
    this.#keywords = new KeywordTable(base.kind === 'none' && layout.count === 0 ? this.#ctx.mailbox.defaultKeywords : base.keywords)
    takeAll(all, edit, new FlagReader(edit, this.#keywords))
    this.#layout = layout
    this.#validity = validity
    this.#finishScan(all, edit, base)
  }
  #finishScan(found: Scanned, edit: TableEdit, base: Base): void {
    edit.uidNext = Math.max(edit.uidNext, found.uids.last + 1)
    this.#keywords.publish(edit, this.traits.writable)
    for (const { severity, text } of found.uids.notices.slice(0, MOST_NOTICES)) edit.notice(severity, text)
    this.#state = fileState(undefined, base)
    this.#stamp = undefined
    this.#noteDebts()
  }

  async store(change: FlagChange, edit: TableEdit, signal: AbortSignal): Promise<UidSet> {
    let refused: UidSet = uids.none
    await this.#rewriting(edit, signal, async (held) => {
      // What the file cannot name is no keyword of this mailbox.
      const outcome = edit.apply({ ...change, keywords: change.keywords.filter(isKeyword) })
      refused = outcome.refused
      if (outcome.changed.count > 0) await this.#write(held, edit, { claim: false, keep: () => true }, signal)
    })
    return refused
  }

  async checkpoint(_dirty: UidSet, edit: TableEdit, signal: AbortSignal): Promise<void> {
    await this.#rewriting(edit, signal, (held) => this.#write(held, edit, { claim: false, keep: () => true }, signal))
  }

  async expunge(among: UidSet, how: { readonly always: boolean }, edit: TableEdit, signal: AbortSignal): Promise<void> {
    await this.#rewriting(edit, signal, async (held) => {
      const existing = uids.from(edit.rows.uid.subarray(0, edit.rows.length)).and(among)
      const gone = how.always ? existing : edit.deleted(existing)
      if (gone.count === 0) return
      const { layout } = this
      await this.#write(held, edit, { claim: false, keep: (i) => !gone.has(layout.at(i, layout.uid)) }, signal)
      edit.remove(gone)
    })
  }

  /** A new message could not be numbered, because those before it are not, or the mailbox has no base. */
  get mustNumber(): boolean {
    return this.layout.count > 0 && (this.base.kind === 'none' || this.layout.lacks(FORM.numbered))
  }
  /** An empty line ends the file, so that the next message can follow. */
  get separated(): boolean {
    const { layout } = this
    return layout.count > 0 && layout.has(layout.count - 1, FORM.separated)
  }
  /** Writes numbers and keywords of what is there, so that what is appended is believed. */
  number(held: HeldFile, edit: TableEdit, signal: AbortSignal): Promise<void> {
    return this.#write(held, edit, { claim: false, keep: () => true }, signal)
  }
  /** Finds what was written to the end of the locked file. */
  async look(held: HeldFile, edit: TableEdit, signal: AbortSignal): Promise<void> {
    await this.catchUp(await again(held), edit, signal)
    await this.remember(edit, held, this.layout, this.base)
  }
  /** The file as it was last seen; undefined while that is not known. */
  get state(): FileState | undefined {
    return this.#state
  }
  /** Messages were appended as described, which left the file in this state. */
  grown(edit: TableEdit, messages: readonly Entered[], end: number, state: FileState): void {
    this.entered(edit, messages, state.base, end)
    this.#remember(edit, this.layout, state)
  }
  /** Messages were appended as described. */
  entered(edit: TableEdit, messages: readonly Entered[], base: Base, end: number): void {
    const { layout } = this
    for (const { place, system, keywords, date } of messages) {
      const row = edit.add(place.uid, edit.flagSet(system, keywords), true)
      edit.setSize(row, place.size)
      edit.setDate(row, date.ms, date.zone)
      layout.save(layout.push(place), row, edit)
    }
    layout.end = end
    this.#keywords.publish(edit, this.traits.writable)
    this.#state = fileState(undefined, base)
    this.#stamp = undefined
  }

  /** An operation that may rewrite; afterwards the table is true again. */
  async #rewriting(edit: TableEdit, signal: AbortSignal, work: (held: HeldFile) => Promise<void>): Promise<void> {
    this.attach(edit)
    if (!this.traits.writable) throw new MailError('read-only', `${this.#path} is read-only`)
    const done = await this.file.locked('owner', signal, this.say(edit), async (held) => {
      if (!held.owner) throw inUse()
      await this.catchUp(held, edit, signal)
      await work(held)
      await this.file.settleTimes(held)
      await this.remember(edit, held, this.layout, this.base)
      return true
    })
    if (done === undefined) await this.#vanish(edit)
  }

  /** What stands behind a place of damage is mail all the same, which must not be written over. @throws MailError `corrupt`. */
  mustBeWhole({ stat }: HeldFile): void {
    if (this.layout.end < stat.size) throw new MailError('corrupt', notWhole(this.#path, this.layout.end))
  }
  /** Writes what the table says into the file. Rows that stay get their new places. */
  async #write(held: HeldFile, edit: TableEdit, how: { readonly claim: boolean; readonly keep: (i: number) => boolean }, signal: AbortSignal): Promise<void> {
    this.mustBeWhole(held)
    const { layout, base } = this
    const { flagSets } = edit.rows
    const flagId = flagIds(edit.rows, layout)
    this.#defineUsed(layout, flagId, flagSets, how.keep)
    const names = this.#keywords.names.filter((name) => name !== '')
    const nowMs = this.#ctx.clock.now()
    const done = await this.file.rewrite(
      held,
      layout.end,
      {
        dialect: this.#ctx.dialect, layout, base, date: dates(edit.rows, layout), flagId, flagSets, validity: edit.uidValidity, last: edit.uidNext - 1, keywords: names, keep: how.keep, claim: how.claim,
        record: { host: this.#ctx.serverName, nowMs, zone: localZone(nowMs) },
      },
      signal,
    )
    for (let pair = 0; pair < done.changed.length; pair += 2) {
      for (let i = done.changed[pair] ?? 0; i < (done.changed[pair + 1] ?? 0); i++) {
        const row = edit.rows.find(done.layout.at(i, done.layout.uid))
        if (row !== -1) done.layout.save(i, row, edit)
      }
    }
    this.#layout = done.layout
    this.#state = fileState(undefined, done.base)
    this.#stamp = undefined
    this.#keywords.publish(edit, this.traits.writable)
    this.#noteDebts()
  }
  /** Keywords that core let in are defined before they are written. */
  #defineUsed(layout: Layout, flagId: (i: number) => number, flagSets: readonly FlagSet[], keep: (i: number) => boolean): void {
    const used = new Uint8Array(flagSets.length)
    for (let i = 0; i < layout.count; i++) if (used[flagId(i)] === 0 && keep(i)) used[flagId(i)] = 1
    for (const [id, set] of flagSets.entries()) if (used[id] === 1) this.#keywords.define(set.keywords)
  }

  read(set: UidSet, wants: Wants, rows: Rows, signal: AbortSignal): AsyncIterable<readonly StoredMessage[]> {
    const box: Readable = {
      dialect: this.#ctx.dialect,
      files: this.#ctx.files,
      path: this.#path,
      kept: this.#kept,
      // After an operation that failed the rows are what is left to go by.
      layout: () => this.#layout ?? Layout.of(rows, 0),
      state: () => this.#state,
      unmoved: () => this.#unmoved(signal),
      settled: () => this.#ctx.turns.run(this.#path, () => Promise.resolve()),
      relocate: () => this.#relocate(rows, signal),
    }
    return readMessages(box, set, wants, signal)
  }
  /** Where messages lie in the file; undefined when they cannot be had from there now. */
  async stored(set: UidSet): Promise<{ readonly from: StoredIn; readonly places: ReadonlyMap<number, StoredAt> } | undefined> {
    const [layout, state, path] = [this.#layout, this.#state, this.#path]
    if (layout === undefined || state === undefined) return undefined
    const places = placesOf(layout, set)
    const from = { dialect: this.#ctx.dialect, path, state }
    return places !== undefined && isInPlace(from, await this.#ctx.files.stat(path)) ? { from, places } : undefined
  }
  /** The last message stands where it stood, so nothing before it became longer or shorter. */
  async #unmoved(signal: AbortSignal): Promise<boolean> {
    const [layout, state] = [this.#layout, this.#state]
    if (layout === undefined || state === undefined) return false
    const file = await this.#ctx.files.open(this.#path, { keepAccessTime: true }).catch(() => undefined)
    if (file === undefined) return false
    try {
      const known: Known = { validity: this.#validity, last: layout.count > 0 ? layout.at(layout.count - 1, layout.uid) : 0, layout }
      return (await numbersAt(state.base, file))?.validity === state.base.validity && (await scanTail(this.#ctx.dialect, file, layout.end, state.base, known, signal)) !== undefined
    } finally {
      await file.close()
    }
  }
  /** The file changed while it was read: where things are now, none when it is another mailbox. What the table knows follows at the next refresh. */
  async #relocate(rows: Rows, signal: AbortSignal): Promise<Layout> {
    const layout = this.#layout ?? Layout.of(rows, 0)
    const validity = this.#validity
    const known: Known = { validity, last: layout.count > 0 ? layout.at(layout.count - 1, layout.uid) : 0, layout }
    const found = await this.file.locked('shared', signal, () => undefined, (held) => scanFile(this.#ctx.dialect, held.file, held.stat.size, known, signal))
    return found?.uids.validity === validity ? found.layout : new Layout()
  }

  #watch(changed: () => void): Disposable {
    this.#watched?.[Symbol.dispose]()
    const watch = new FileWatch(this.#ctx, this.#path, () => {
      this.#kept.forgetAhead()
      changed()
    })
    this.#watched = watch
    watch.follow(this.#state?.inode ?? 0)
    return watch
  }
  async close(): Promise<void> {
    this.#watched?.[Symbol.dispose]()
    this.#watched = undefined
    await this.#kept.close()
  }
}

/** The held file as it is after a change of our own. */
async function again(held: HeldFile): Promise<HeldFile> {
  return { ...held, stat: await held.file.stat() }
}
/** Dates of messages as the table has them. */
function dates(rows: Rows, layout: Layout): (i: number) => { readonly ms: number; readonly zone: number } {
  return (i) => {
    const row = rows.find(layout.at(i, layout.uid))
    return { ms: rows.date[row] ?? 0, zone: rows.zone[row] ?? 0 }
  }
}
/** Flags of messages as the table has them. */
function flagIds(rows: Rows, layout: Layout): (i: number) => number {
  return (i) => {
    const row = rows.uid[i] === layout.uid[i] ? i : rows.find(layout.at(i, layout.uid))
    return rows.flags[row] ?? 0
  }
}
function inUse(): MailError {
  return new MailError('in-use', 'Mailbox is open by another process, access is readonly')
}
function notWhole(path: string, at: number): string {
  return `${path} is damaged: what stands at octet ${at} is no message`
}
