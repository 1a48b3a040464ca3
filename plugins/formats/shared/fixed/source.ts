import { MailError, uids, type FilePlace, type FileStat, type FlagChange, type MailboxSource, type OpenFile, type Rows, type SourceTraits, type StoredMessage, type TableEdit, type UidSet, type Wants } from 'mailwright/api'
import { FileWatch } from '../file-watch.js'
import { reasonOf } from '../locks/lock-context.js'
import { PROTECTED } from '../protected.js'
import { isOutOfRoom, outOfRoom } from '../changes/safe-changes.js'
import { compact, isWorthwhile } from './compaction.js'
import { mustBeWhole, owes, readContents, settle, settling, type Contents } from './contents.js'
import type { FixedContext } from './context.js'
import { BIT, SYSTEM_BITS, type Dialect } from './dialect.js'
import { FixedFile, type Held, type Undisturbed } from './fixed-file.js'
import type { KeywordBits } from './keyword-bits.js'
import { changeKnown, knownFields, type KnownDone, type KnownWork } from './known-change.js'
import { KnownFile } from './known-file.js'
import { COLUMNS, type Place } from './layout.js'
import { patchesOf } from './patch.js'
import type { FieldsChange, Patches } from './patches.js'
import type { Readable } from './readable.js'
import { OwnNotices } from './own-notices.js'
import { readMessages } from './reading.js'
import { isRecent, isUnchanged } from './stamp.js'
import { SyncBehind } from './sync-behind.js'
import { cameAt, flagsChanged, keepAccess, lotOf, mailCame, mailSeen, type Arrival } from './times.js'

/** Fields to be written, what the mailbox is with them, and what follows. */
interface Wanted {
  readonly contents: Contents
  readonly patches: Patches
  readonly written: () => void
}
/** Changes of so many pages are durable before the mailbox is synced. */
const AHEAD_FROM = 16
/** What could not be written is not tried again for so long, unless the mailbox changes. */
const FULL_FOR_MS = 30_000

/**
 * A mailbox file with records of fixed form: what is done with it. It is held open with its kernel lock shared, as all programs of the family do,
 * so that messages stay where they are; the name lock is taken for each operation alone.
 */
export class FixedSource implements MailboxSource {
  readonly traits: SourceTraits
  readonly file: FixedFile
  readonly known: KnownFile
  readonly dialect: Dialect
  readonly #ctx: FixedContext
  #claiming = false
  /** When what the file lacks could not be written. */
  #fullMs = Number.NEGATIVE_INFINITY
  #watched: FileWatch | undefined
  readonly #behind: SyncBehind
  /** Whoever hears of what was done here would look in vain. */
  readonly #notices = new OwnNotices(async () => this.known.isUnchanged(await this.#ctx.files.stat(this.path)))
  readonly watch?: (changed: () => void) => Disposable
  readonly reclaim?: (signal: AbortSignal) => Promise<void>
  readonly mayExpunge?: (signal: AbortSignal) => Promise<void>

  constructor(place: FilePlace, writable: boolean, dialect: Dialect, ctx: FixedContext) {
    this.#ctx = ctx
    this.dialect = dialect
    this.file = new FixedFile(place, writable, ctx, undefined, ctx.watch ? (ctx.aheadFrom ?? AHEAD_FROM) : undefined)
    this.#behind = new SyncBehind(this.file, ctx)
    this.known = new KnownFile(this.file, dialect, ctx, (inode) => this.#watched?.follow(inode))
    this.traits = { writable, ...(writable ? {} : { protected: PROTECTED }), uidsPersist: dialect.header !== undefined, modseqs: 'numbered-by-core', facts: [], columns: COLUMNS }
    if (ctx.watch) this.watch = (changed) => this.#watch(changed)
    if (dialect.hides) this.reclaim = (signal) => this.#reclaim(signal)
    else this.mayExpunge = (signal) => this.#mayExpunge(signal)
  }
  get path(): string {
    return this.file.path
  }
  /** A read-write session had the mailbox at the last look: new messages are given to it. */
  get claiming(): boolean {
    return this.#claiming
  }
  #lot(): number {
    return lotOf(this.#ctx.locks.random)
  }
  /** Other programs change flags without the name lock. */
  get #unlocked(): boolean {
    return this.dialect.header === undefined
  }
  /** Runs work that writes, after a look; flags may have been changed between the two. */
  async undisturbed<T>(held: Held, work: () => Promise<T>): Promise<Undisturbed<T>> {
    const told = !this.#unlocked || this.known.isUnchanged(held.stat) || !isRecent(held.stat.mtimeMs, this.#ctx.clock.now())
    const { result, undisturbed } = await this.file.undisturbed(held, this.#unlocked, work)
    return { result, undisturbed: undisturbed && told }
  }
  /** What an operation left is noted, and finished later. */
  async #left(held: Held, settled: boolean): Promise<void> {
    await this.file.noteAhead(held, held.stat, settled)
    if (this.file.owes(held) && this.traits.writable) this.#behind.owe()
  }
  #flagsChanged(held: Held, before: FileStat): Promise<boolean> {
    return flagsChanged(held.file, this.#ctx.clock.now(), this.#lot(), before.mtimeMs)
  }

  // ---- looking

  async refresh(edit: TableEdit, how: { readonly claimRecent: boolean; readonly found?: FileStat }, signal: AbortSignal): Promise<void> {
    const { known } = this
    known.attach(edit)
    const claim = how.claimRecent && this.traits.writable
    this.#claiming = claim
    // What was found before this turn may be older than what an operation of this process left.
    const isAsKnown = (stat: FileStat | undefined): boolean =>
      known.isUnchanged(stat) && !(claim && owes(known.contents, true) && this.#ctx.clock.steady() - this.#fullMs > FULL_FOR_MS)
    const { found } = how
    if (found !== undefined && isAsKnown(found)) return
    // At the first look nothing is newer than what was found.
    const now = found !== undefined && known.isFirstLook ? found : await this.#ctx.files.stat(this.path)
    if (isAsKnown(now) || (now !== undefined && known.isFirstLook && (await this.#isAsKept(now, claim)))) return
    const look = async (held: Held): Promise<true> => {
      const before = held.stat
      const first = known.isFirstLook
      const news = await known.catchUp(held, edit, signal)
      const whole = known.contents.damage === undefined
      // What only looks does not keep others out.
      const looked = { result: false, undisturbed: !this.#unlocked }
      const { result: writing, undisturbed } = claim && whole && owes(known.contents, true) ? await this.undisturbed(held, () => this.#settleClaimed(held, edit)) : looked
      if (claim && whole && first && this.dialect.hides) await this.#compactIfThereIsRoom(held, signal)
      const settled = writing && (await this.#flagsChanged(held, before))
      if (!writing && claim && news) await mailSeen(held.file, this.#ctx.clock.now())
      if (!claim) await keepAccess(held.file, before)
      await known.remember(edit, held, settled, undisturbed ? undefined : before.mtimeMs)
      await this.#left(held, settled)
      return true
    }
    try {
      if ((await this.file.locked(signal, known.say(edit), look, found)) === undefined) await known.vanish(edit)
    } catch (error) {
      // Another program may have made it one of another format, which only grew.
      if (error instanceof MailError && error.kind === 'corrupt') this.#ctx.recognised.forget(this.path)
      throw error
    }
  }
  /** Whether the mailbox is still as the rows of last time say, and nothing is to be written; it is held then. That shows without the locks of those who write. */
  async #isAsKept(found: FileStat, claim: boolean): Promise<boolean> {
    const { known } = this
    const { state, contents } = known
    if (state === undefined || !isUnchanged(state, found, false)) return false
    const isTight = !this.dialect.hides || !isWorthwhile(contents.layout, this.#start, state.size)
    if (claim && (owes(contents, true) || !isTight)) return false
    const stat = await this.file.hold(found)
    return stat !== undefined && known.isKept(stat)
  }
  /** Writes what the file lacks. Where it cannot be written, mail can be read nevertheless: numbers are in the table alone for now. */
  async #settleClaimed(held: Held, edit: TableEdit): Promise<boolean> {
    const { known } = this
    try {
      known.contents = await settle(this.file, held, this.dialect, settling(this.dialect, known.contents, this.#ctx.locks.random, true), known.saver(edit))
      return true
    } catch (error) {
      if (!isOutOfRoom(outOfRoom(error))) throw error
      this.#fullMs = this.#ctx.clock.steady()
      known.say(edit)('warning', `Mailbox ${this.path} cannot be updated: ${reasonOf(error)}`)
      return false
    }
  }
  /** What a delivery leaves: nobody has read since, unless the messages were given to a session at once. */
  arrival(): Pick<Arrival, 'atimeMs' | 'lot'> {
    const now = this.#ctx.clock.now()
    return { atimeMs: this.#claiming ? now : cameAt(now), lot: this.#lot() }
  }
  async delivered(edit: TableEdit, held: Held, arrival: Arrival): Promise<void> {
    const settled = await mailCame(held.file, arrival)
    await this.known.remember(edit, held, settled, arrival.undisturbed ? undefined : arrival.mtimeMs)
    if (this.file.owes(held)) this.#behind.owe()
  }

  // ---- changing

  async store(change: FlagChange, edit: TableEdit, signal: AbortSignal): Promise<UidSet> {
    const { known } = this
    let refused: UidSet = uids.none
    let changed: UidSet = uids.none
    await this.#patching(edit, signal, () => {
      const { contents } = known
      const keywords = change.how === 'remove' || !known.mayDefine ? contents.keywords : contents.keywords.with(change.keywords)
      // What finds no bit is no keyword of this mailbox.
      const outcome = edit.apply({ ...change, keywords: change.keywords.filter((word) => keywords.has(word)) })
      refused = outcome.refused
      // What was applied the first time is still to be written the second time.
      changed = changed.or(outcome.changed)
      const patches = patchesOf(this.dialect, contents.layout, changed, fieldsChange(change, keywords))
      return { contents: { ...contents, keywords, header: { ...contents.header, keywords: keywords.names } }, patches, written: () => keywords.publish(edit, known.mayDefine) }
    })
    return refused
  }

  async expunge(among: UidSet, how: { readonly always: boolean }, edit: TableEdit, signal: AbortSignal): Promise<void> {
    const { known } = this
    const wanted = (): UidSet => {
      const { layout } = known.contents
      return how.always ? uids.from([...layout.indices(among)].map((i) => layout.at('uid', i))) : edit.deleted(among)
    }
    if (this.dialect.hides) {
      return this.#patching(edit, signal, () => {
        const gone = wanted()
        const patches = patchesOf(this.dialect, known.contents.layout, gone, { set: BIT.hidden })
        return { contents: known.contents, patches, written: () => known.drop(gone, edit) }
      })
    }
    await this.#changing(edit, signal, async (held) => {
      const gone = wanted()
      if (gone.count === 0) return false
      const { layout } = known.contents
      const alone = await this.file.alone(() => this.#compact(held, (i) => !gone.has(layout.at('uid', i)), signal))
      if (alone === undefined) throw inUse()
      edit.remove(gone)
      return true
    })
  }
  async #mayExpunge(signal: AbortSignal): Promise<void> {
    await this.file.locked(signal, () => undefined, async () => {
      if ((await this.file.alone(() => Promise.resolve())) === undefined) throw inUse()
    })
  }
  async #compact(held: Held, keep: (i: number) => boolean, signal: AbortSignal): Promise<void> {
    await this.known.moving(
      () => compact(this.file, held, this.known.contents.layout, this.#start, keep, signal),
      async () => (await this.file.changes.look(held.stat)).interrupted,
    )
    held.stat = await held.file.stat()
  }
  /** Where messages begin. */
  get #start(): number {
    return this.dialect.header?.length ?? 0
  }
  async #compactIfWorthwhile(held: Held, signal: AbortSignal): Promise<boolean> {
    if (!isWorthwhile(this.known.contents.layout, this.#start, held.stat.size)) return false
    return (await this.file.alone(() => this.#compact(held, () => true, signal))) !== undefined
  }
  /** A mailbox is looked at though it cannot be made shorter. */
  async #compactIfThereIsRoom(held: Held, signal: AbortSignal): Promise<void> {
    try {
      await this.#compactIfWorthwhile(held, signal)
    } catch (error) {
      if (!isOutOfRoom(error) || this.known.isLost) throw error
    }
  }
  /** The table is not at hand: what it says of places follows with its next edit. */
  async #reclaim(signal: AbortSignal): Promise<void> {
    const { known } = this
    if (!this.traits.writable || known.state === undefined || !isWorthwhile(known.contents.layout, this.#start, known.size)) return
    await this.file.locked(signal, () => undefined, async (held) => {
      const before = held.stat
      // What others did is found by the next look, and this again then.
      if (known.contents.damage !== undefined || !known.isUnchanged(held.stat)) return
      if (!(await this.#compactIfWorthwhile(held, signal))) return
      const settled = await this.#flagsChanged(held, before)
      await known.note(held, settled)
      await this.#left(held, settled)
    })
  }

  /** An operation that may write; afterwards the table is true again. `work` says whether it wrote. */
  async #changing(edit: TableEdit, signal: AbortSignal, work: (held: Held) => Promise<boolean>): Promise<void> {
    const { known } = this
    known.attach(edit)
    if (!this.traits.writable) throw new MailError('read-only', `${this.path} is read-only`)
    const done = await this.file.locked(signal, known.say(edit), async (held) => {
      const before = held.stat
      await known.catchUp(held, edit, signal)
      mustBeWhole(known.contents)
      const { result: wrote, undisturbed } = await this.undisturbed(held, () => work(held))
      const settled = wrote && (await this.#flagsChanged(held, before))
      await known.remember(edit, held, settled, undisturbed ? undefined : before.mtimeMs)
      await this.#left(held, settled)
      return true
    })
    if (done === undefined) await known.vanish(edit)
  }
  /** Writes fields. `wanted` is asked again where the mailbox was not as it was known. */
  async #patching(edit: TableEdit, signal: AbortSignal, wanted: () => Wanted): Promise<void> {
    const { known } = this
    known.attach(edit)
    if (this.traits.writable && this.goesAtOnce && (await this.#patchKnown(edit, wanted()))) return
    await this.#changing(edit, signal, async (held) => {
      const { contents, patches, written } = wanted()
      if (patches.count === 0) return false
      known.contents = contents
      known.contents = await settle(this.file, held, this.dialect, settling(this.dialect, contents, this.#ctx.locks.random, false, patches), known.saver(edit))
      written()
      return true
    })
  }
  async #patchKnown(edit: TableEdit, { contents, patches, written }: Wanted): Promise<boolean> {
    const { known } = this
    // Nothing is to be done where the mailbox is as it was found, or left, under the locks: what others changed until then was finished by them.
    if (patches.count === 0) return known.isUnchanged(await this.#ctx.files.stat(this.path))
    const settled = settling(this.dialect, contents, this.#ctx.locks.random, false, patches)
    return this.#notices.during(async () => {
      const done = await this.changeKnown(edit, knownFields(settled, this.#ctx.clock.now(), this.#lot()))
      if (done === undefined) return false
      known.contents = contents
      known.contents = settled.done(known.saver(edit))
      written()
      known.rememberDone(edit, done)
      return true
    })
  }
  /** Whether a change may be made by `changeKnown`. */
  get goesAtOnce(): boolean {
    return this.#ctx.lane !== undefined && this.known.isSure
  }
  /** Undefined: it is not so any more, or not so for sure. */
  async changeKnown(edit: TableEdit, work: KnownWork): Promise<KnownDone | undefined> {
    const { lane } = this.#ctx
    const { state } = this.known
    if (lane === undefined || state === undefined) return undefined
    const done = await changeKnown(lane, this.dialect, this.#ctx, this.file, state, work, this.known.say(edit))
    if (done?.owes === true) this.#behind.owe()
    return done
  }

  // ---- reading

  read(set: UidSet, wants: Wants, rows: Rows, signal: AbortSignal): AsyncIterable<readonly StoredMessage[]> {
    return readMessages(this.#readable(rows, signal), set, wants, rows, signal)
  }
  #readable(rows: Rows, signal: AbortSignal): Readable {
    return {
      dialect: this.dialect,
      place: (uid) => this.known.place(uid, rows),
      cameMs: (uid) => rows.date[rows.find(uid)],
      epoch: () => this.known.epoch,
      settled: () => this.#ctx.turns.run(this.path, () => Promise.resolve()),
      using: (work) => this.#using(work, signal),
      relocate: (uid) => this.#relocate(uid, signal),
    }
  }
  async #using<T>(work: (file: OpenFile) => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    if (this.file.holding === 0) await this.file.locked(signal, () => undefined, () => Promise.resolve())
    // Seen afterwards: what is read was there meanwhile.
    return this.file.using(async (file) => {
      const done = await work(file)
      return (await this.known.isIn(file)) ? done : undefined
    })
  }
  /** The message is not where it should be: somebody who does not heed locks moved it. */
  async #relocate(uid: number, signal: AbortSignal): Promise<Place | undefined> {
    if (this.dialect.header === undefined) return undefined
    const found = await this.file.locked(signal, () => undefined, (held) => readContents(this.dialect, held, this.path, this.#ctx, undefined, signal))
    return found === undefined || !this.known.isOf(found.filed) ? undefined : found.entries.find(({ place }) => place.uid === uid)?.place
  }

  #watch(changed: () => void): Disposable {
    this.#watched?.[Symbol.dispose]()
    const watch = new FileWatch(this.#ctx, this.path, () => this.#notices.heard(changed))
    this.#watched = watch
    watch.follow(this.known.state?.inode ?? 0)
    return watch
  }
  async close(): Promise<void> {
    this.#watched?.[Symbol.dispose]()
    this.#watched = undefined
    // Others may move messages as soon as it is closed.
    await this.#behind.close()
    await this.file.close()
  }
}

/** The bits that a change of flags is about: those that others set meanwhile stay, unless all are replaced (RFC 9051 §6.4.6). */
function fieldsChange({ how, system, keywords: words }: FlagChange, keywords: KeywordBits): FieldsChange {
  const [bits, mask] = [system & SYSTEM_BITS, keywords.mask(words)]
  if (how === 'add') return { set: bits, setKeywords: mask }
  if (how === 'remove') return { clear: bits, clearKeywords: mask }
  return { clear: SYSTEM_BITS, set: bits, clearKeywords: keywords.mask(keywords.names), setKeywords: mask }
}
function inUse(): MailError {
  return new MailError('in-use', "Can't expunge because mailbox is in use by another process")
}
