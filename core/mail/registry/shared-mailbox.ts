import { uids } from '../../api/index.js'
import type { AppendResult, Clock, FileStat, FlagChange, Logger, MailboxSettings, MailboxSource, MailEvents, MailLocation, MailProblem, UidSet } from '../../api/index.js'
import { MailError } from '../../api/index.js'
import { asMailFailure, orCancelled } from '../failures.js'
import { newsAfter, type Author, type Notice } from '../table/change-log.js'
import type { FoldWait } from '../journal/fold-bell.js'
import type { Edit } from '../table/edit.js'
import type { Commit, MailTable } from '../table/table.js'
import { Looks, type Listener } from './looks.js'
import type { MailboxState } from './mailbox-state.js'
import { OperationQueue } from './queue.js'
import { ReclaimLater } from './reclaim-later.js'
import { Waits } from './waits.js'

/** Failures of a look of which sessions hear themselves. */
const TOLD: readonly MailProblem[] = ['not-found', 'corrupt', 'cancelled']

/** Where events of a mailbox go, and under which place. */
export interface Outlet {
  readonly events: MailEvents
  readonly at: MailLocation
}
/** Hears of messages that are new to this process, which are all at a first look without rows of last time; and of each first look. */
export interface ArrivalHearer {
  arrived(mailbox: SharedMailbox, set: UidSet): void
  /** Messages of `to` that are, octet by octet, those of `from`, in the same order. */
  copied(from: SharedMailbox, source: UidSet, to: SharedMailbox, target: UidSet): void
  /** Octets of messages are coming in: there is something to do now, and more soon. */
  arriving(): void
  /** Messages are put into a mailbox until disposed. */
  saving(): Disposable
  /**
   * They are in the table, under these numbers, in the same order: the octets that they have, as far as those are in memory; `by` a mail client, which asks for the usual things
   * sooner or later, or by others.
   */
  saved(mailbox: SharedMailbox, octets: readonly (Uint8Array | undefined)[], result: AppendResult, by: 'client' | 'others'): void
}

/** What an edit is for. */
export interface EditHow {
  /** Who is not told of it. */
  readonly author?: Author | undefined
  /** Whether what the journal holds is laid over what the source read anew. */
  readonly reconcile?: boolean
  /** The epoch of the numbers that name messages: when they mean others now, the operation fails with `vanished` before it has done anything. */
  readonly byNumber?: number
}

/** What a shared mailbox is made of. */
export interface SharedParts {
  readonly key: string
  readonly source: MailboxSource
  readonly table: MailTable
  readonly state: MailboxState | undefined
  readonly settings: MailboxSettings
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * A physical mailbox that this process has open: its source, its table, and the queue through which everything passes that edits
 * the table. All sessions on the mailbox, of all hosts, share it.
 *
 * Invariants: edits never overlap; an edit whose operation throws is dropped; nobody is told before the commit; no operation of one
 * session is cancelled by another's.
 */
export class SharedMailbox {
  readonly key: string
  readonly source: MailboxSource
  readonly table: MailTable
  readonly state: MailboxState | undefined
  readonly settings: MailboxSettings
  readonly #logger: Logger
  readonly #queue = new OperationQueue()
  /** MOVEs out of it, one after the other; each has turns in the mailbox on its way. */
  readonly moves = new OperationQueue()
  readonly #ending = new AbortController()
  readonly #looks: Looks
  readonly #waits = new Waits()
  readonly #outlets: Outlet[] = []
  /** That of the host that opened it last: what it does is the same for all. */
  #arrivals: ArrivalHearer | undefined
  /** Sessions that may claim recent messages and change things. */
  writers = 0
  #gave = false
  /** Why nothing can be done here any more: deleted, renamed, closed. */
  #gone: string | undefined
  #loaded = false
  #nextRefresh: Promise<void> | undefined
  #found: FileStat | undefined
  readonly #reclaiming: ReclaimLater
  /** The last look failed, and the log has it. */
  #blind = false

  constructor(parts: SharedParts) {
    this.key = parts.key
    this.source = parts.source
    this.table = parts.table
    this.state = parts.state
    this.settings = parts.settings
    this.#logger = parts.logger
    this.#reclaiming = new ReclaimLater(parts.clock, () => this.#reclaim())
    this.#looks = new Looks({
      ...parts,
      pollMs: parts.settings.pollMs,
      isChangedUnseen: () => this.state?.sharesFlags(this.source) === true,
      isGone: () => this.#gone !== undefined,
    })
  }
  /** The rows were true once. */
  get loaded(): boolean {
    return this.#loaded
  }
  get gone(): string | undefined {
    return this.#gone
  }
  /** Messages were given to a session since the last look at the source, which may not say so yet. */
  get gave(): boolean {
    return this.#gave
  }
  /** The recent messages are a session's now, and nobody else's. */
  give(): void {
    this.table.unclaimed = uids.none
    this.table.unsaved++
    this.#gave = true
  }
  /** Given when the mailbox is closed under its sessions. */
  get signal(): AbortSignal {
    return this.#ending.signal
  }

  // ---- listening

  listen(hear: Listener): Disposable {
    return this.#looks.listen(hear)
  }
  /** What the source says from now until disposed; for one whose session has no place in the log yet. */
  hearNotices(): Disposable & { readonly notices: readonly Notice[] } {
    const { log } = this.table
    const from = log.tail
    // Nothing is added to what is somebody's place.
    from.holders++
    let notices: readonly Notice[] = []
    return {
      get notices() {
        return notices
      },
      [Symbol.dispose]() {
        from.holders--
        notices = newsAfter(from, from).notices
      },
    }
  }
  /** Calls back at once with what the operation under way waits for, and with what those after it will wait for, until disposed. */
  hearWaits(hear: (text: string) => void): Disposable {
    return this.#waits.hear(hear)
  }
  outlet(o: Outlet): void {
    // Mounts are made anew for each login.
    const { store, root } = o.at.mount
    const known = this.#outlets.some((k) => k.events === o.events && k.at.mount.store === store && k.at.mount.root === root && k.at.path === o.at.path)
    if (known) return
    this.#outlets.push(o)
  }
  tellArrivals(hearer: ArrivalHearer): void {
    this.#arrivals = hearer
  }
  /** Under which places it was opened. */
  get places(): readonly MailLocation[] {
    return this.#outlets.map((o) => o.at)
  }
  /** Something outside the table changed the mailbox: the next `sync` looks. */
  touched(): void {
    this.#looks.touched()
  }

  // ---- editing

  /** Runs an operation of the source with an edit, in its turn; commits when it resolves. */
  edit<T>(operation: (edit: Edit) => Promise<T>, signal: AbortSignal, how: EditHow = {}): Promise<{ readonly value: T; readonly commit: Commit }> {
    return this.#queue.run(async () => {
      this.mustBeThere()
      return this.editNow(operation, how)
    }, signal)
  }
  /** The same for a caller whose turn it is already. */
  async editNow<T>(operation: (edit: Edit) => Promise<T>, { author, reconcile = true, byNumber }: EditHow = {}): Promise<{ readonly value: T; readonly commit: Commit }> {
    if (byNumber !== undefined) this.mustMean(byNumber)
    const edit = this.table.begin(author, byNumber !== undefined, this.#waits.begun)
    try {
      const value = await operation(edit)
      if (reconcile) this.state?.reconcile(edit)
      const numbering = this.state?.numbering(edit)
      if (numbering !== undefined) await numbering
      const commit = edit.commit()
      this.#committed(commit)
      if (commit.arrived.count > 0) this.#arrivals?.arrived(this, commit.arrived)
      return { value, commit }
    } catch (error) {
      edit.drop()
      // The next command of each session looks, and its client hears that its numbers are void.
      if (byNumber !== undefined && this.table.beganAnew) this.touched()
      throw asMailFailure(error)
    } finally {
      this.#waits.over()
    }
  }
  /** Runs something that must not meet an edit. */
  inTurn<T>(operation: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#queue.run(operation, signal)
  }
  mustBeThere(): void {
    if (this.#gone !== undefined) throw new MailError('not-found', this.#gone)
  }
  /** What a session knows by number is what is meant now. */
  mustMean(epoch: number): void {
    this.mustBeThere()
    if (!this.table.means(epoch)) throw new MailError('vanished', 'the mailbox began anew')
  }
  #committed(commit: Commit): void {
    const { changed, arrived, removed, reset } = commit
    if (changed.count + arrived.count + removed.count === 0 && !reset) {
      if (this.table.version !== this.#heardVersion) this.#tell()
      return
    }
    this.state?.committed(commit)
    if (removed.count > 0) this.#reclaiming.owe()
    // What the first look finds was there before: no news.
    const outlets = this.#loaded ? this.#outlets : []
    for (const { events, at } of outlets) {
      if (arrived.count > 0) events.emit({ at, kind: 'arrived', uids: arrived })
      if (removed.count > 0) events.emit({ at, kind: 'removed', uids: removed })
      if (changed.count > 0) events.emit({ at, kind: 'flags', uids: changed })
    }
    this.#tell()
  }
  #heardVersion = 0
  #tell(): void {
    this.#heardVersion = this.table.version
    this.#looks.tell('changes')
  }

  // ---- what sessions ask for

  /** Whether a look can be spared: nothing was heard since the last one, which was not long ago. */
  get current(): boolean {
    return this.#looks.areSpared
  }
  /**
   * Makes the rows true. Sessions that ask while a look is waiting for its turn share it, so it is not cancelled with one of them.
   * `found`: how the mailbox was found just now.
   */
  refresh(signal: AbortSignal, found?: FileStat): Promise<void> {
    // What one session has found may be older than the command of another: a look for several is a look of its own.
    this.#found = this.#nextRefresh === undefined ? found : undefined
    this.#nextRefresh ??= this.#queue.run(async () => {
      const alone = this.#found
      this.#nextRefresh = undefined
      this.#found = undefined
      this.mustBeThere()
      await this.refreshNow(alone).catch((error: unknown) => {
        this.#lookFailed(error)
        throw error
      })
      // It may have ended meanwhile: a session that begins now would never hear of it.
      this.mustBeThere()
    })
    return orCancelled(this.#nextRefresh, signal)
  }
  /** The same for a caller whose turn it is already. */
  async refreshNow(found?: FileStat): Promise<void> {
    const look = this.#looks.begin()
    const claimRecent = this.writers > 0 && this.source.traits.writable
    await this.editNow((edit) => this.source.refresh(edit, { claimRecent, ...(found && { found }) }, this.signal))
    if (claimRecent) this.#gave = false
    this.#looks.ended(look, found !== undefined)
    // What another process left undone.
    if (!this.#loaded) {
      this.#arrivals?.arrived(this, uids.none)
      this.#looks.watchSoon()
    }
    this.#loaded = true
    if (this.#blind) this.#logger.info('Mailbox can be looked at again', { mailbox: this.places[0]?.path, key: this.key })
    this.#blind = false
    await this.state?.refreshed(this)
  }
  /** Sessions go on with what they have, and their clients are told nothing: somebody has to read of it, though not at each look. */
  #lookFailed(error: unknown): void {
    if (!this.#loaded || this.#blind || !(error instanceof MailError) || TOLD.includes(error.kind)) return
    this.#blind = true
    this.#logger.warn('Mailbox cannot be looked at', { mailbox: this.places[0]?.path, key: this.key, reason: error.message, error })
  }
  /** Returns what `unchangedSince` refused. */
  async store(change: FlagChange, author: Author | undefined, signal: AbortSignal, epoch = this.table.epoch): Promise<UidSet> {
    const { state } = this
    const { refused, durable } = await this.#afterOthers(async (wait) => {
      this.mustMean(epoch)
      await state?.adopt(this)
      if (state?.sharesFlags(this.source)) {
        if (await state.heldBack(this, (pending) => pending.opposes(change))) return 'held'
        await wait?.settled()
      }
      return this.#store(change, { author, byNumber: epoch }, signal)
    }, signal)
    await durable
    return refused
  }
  /** The caller has the turn. */
  async #store(change: FlagChange, how: EditHow, signal: AbortSignal): Promise<{ readonly refused: UidSet; readonly durable?: Promise<void> }> {
    const { state, source } = this
    if (state !== undefined && state.takes(change, source, this.table)) {
      // The journal knows nothing of what others did to the mailbox, and that decides here (RFC 7162 §3.1.3), and where there seems to be nothing to do.
      if (change.unchangedSince !== undefined || this.table.leavesSome(change)) await this.refreshNow()
      if (state.takes(change, source, this.table)) return state.storeNow(this, change, how)
    }
    await state?.foldNow(this)
    const { value } = await this.editNow((edit) => source.store(change, edit, signal), how)
    return { refused: value }
  }
  /** Before messages are copied with their flags: resolves when the rows have what other processes of the server acknowledged of them. */
  async settle(set: UidSet, signal: AbortSignal): Promise<void> {
    const { state } = this
    // What cannot be read keeps nobody from reading the mailbox.
    const isHeld = async (): Promise<boolean> => (await state?.heldBack(this, (pending) => pending.uids.and(set).count > 0).catch(() => false)) === true
    let hasWaited = false
    await this.#afterOthers(async () => {
      const held = await isHeld()
      if (held || hasWaited) await this.refreshNow()
      hasWaited = true
      return held && (await isHeld()) ? 'held' : undefined
    }, signal)
  }
  /** Runs in its turn, and again each time that another process may have put into the mailbox what held it back; `in-use` when that does not. */
  async #afterOthers<T>(operation: (wait?: FoldWait) => Promise<T | 'held'>, signal: AbortSignal): Promise<T> {
    let wait: FoldWait | undefined
    try {
      for (;;) {
        const value = await this.inTurn(() => operation(wait), signal)
        if (value !== 'held') return value
        wait ??= this.state?.foldByOthers(this.#waits.say)
        await wait?.next(signal)
      }
    } finally {
      wait?.[Symbol.dispose]()
    }
  }
  async expunge(among: UidSet, always: boolean, signal: AbortSignal, epoch = this.table.epoch): Promise<UidSet> {
    return this.inTurn(async () => {
      this.mustBeThere()
      const lay = always ? undefined : await this.state?.removing(this)
      const { commit } = await this.editNow((edit) => {
        if (lay !== undefined) edit.beforeDeleted = () => lay(edit)
        return this.source.expunge(among, { always }, edit, signal)
      }, { byNumber: epoch })
      return commit.removed
    }, signal)
  }
  /** @throws MailError when messages could not be removed now. */
  async mayExpunge(signal: AbortSignal): Promise<void> {
    const { source } = this
    if (source.mayExpunge === undefined) return
    await this.inTurn(async () => {
      this.mustBeThere()
      await source.mayExpunge?.(signal)
    }, signal)
  }
  async fill(set: UidSet, signal: AbortSignal, epoch = this.table.epoch): Promise<void> {
    const fill = this.source.fill
    if (fill === undefined) return
    await this.edit((edit) => fill.call(this.source, set, edit, signal), signal, { byNumber: epoch })
  }
  /** Folds journalled changes into the mailbox. */
  async checkpoint(signal: AbortSignal): Promise<void> {
    const state = this.state
    if (state === undefined || !state.owes) return
    await this.inTurn(async () => {
      this.mustBeThere()
      await state.foldNow(this)
    }, signal)
  }
  /** Uids removed after `since`; those that never were may be among them (RFC 7162 §3.2.10.1). */
  async vanished(since: number, among: UidSet, signal: AbortSignal): Promise<UidSet> {
    const t = this.table
    const existing = uids.from(t.generation.uid.subarray(0, t.length))
    // A mod-sequence that a client was told is one that core or the source made.
    if (this.source.vanished !== undefined) return (await this.source.vanished(since as never, among, signal)).minus(existing)
    const known = this.state?.vanishedSince(since)
    if (known !== undefined) return known.and(among).minus(existing)
    const used = t.uidNext > 1 ? uids.ranges(Uint32Array.of(1, t.uidNext - 1)) : uids.none
    return among.and(used).minus(existing)
  }
  /** A session moved on or left: removed messages may now be nobody's. */
  movedOn(): void {
    if (this.source.reclaim !== undefined && this.table.lagging.size === 0 && this.#gone === undefined) this.#reclaiming.begin()
  }
  /** Space that was to be taken back later is so before what comes next, for which there may be no room without it. */
  makeRoom(): void {
    this.#reclaiming.now()
  }
  #reclaim(): void {
    this.#queue
      .run(async () => {
        if (this.table.lagging.size > 0) this.#reclaiming.owe()
        else await this.source.reclaim?.(this.signal)
      })
      .catch((error: unknown) => this.#logger.warn('mail.reclaim-failed', { key: this.key, error }))
  }

  // ---- the end

  /** No operation begins any more; sessions find out at their next look. */
  end(why: string): void {
    if (this.#gone !== undefined) return
    this.#gone = why
    this.table.epoch++
    this.table.version++
    this.#tell()
  }
  /** Folds, saves and closes; waits for what is under way. Without `fold` nothing is written to the mailbox, which may be another one by now. */
  close(fold: boolean): Promise<void> {
    if (fold) this.#reclaiming.now()
    return this.#close((state) => state.close(this, fold))
  }
  /** The mailbox is gone: closes, and keeps nothing of it. */
  discard(): Promise<void> {
    return this.#close((state) => state.discard())
  }
  async #close(leave: (state: MailboxState) => Promise<void>): Promise<void> {
    this.#reclaiming.drop()
    await this.#queue.idle()
    this.#looks.stop()
    try {
      if (this.state !== undefined) await leave(this.state)
    } catch (error) {
      this.#logger.warn('mail.close-failed', { key: this.key, error })
    }
    this.#gone ??= 'the mailbox was closed'
    this.#ending.abort(new MailError('cancelled', 'the mailbox was closed'))
    await this.source.close()
  }
}
