import { MailError, uids } from '../../api/index.js'
import type { FlagChange, MailboxSource, UidSet } from '../../api/index.js'
import { asMailFailure } from '../failures.js'
import { discardState } from '../journal/discarding.js'
import { FoldWait, ringBell } from '../journal/fold-bell.js'
import type { JournalFile } from '../journal/journal-file.js'
import { PendingChanges } from '../journal/pending.js'
import { flagsRecord, type JournalRecord } from '../journal/records.js'
import { Removals } from '../journal/removals.js'
import { replay } from '../journal/replay.js'
import type { Edit } from '../table/edit.js'
import type { Commit, MailTable } from '../table/table.js'
import { DiskCache } from './disk-cache.js'
import { FoldSchedule } from './fold-schedule.js'
import { mayOwe, openJournal, readUnlocked, type DiskParts, type KeptFiles } from './kept.js'
import type { Journalled, MailboxState } from './mailbox-state.js'
import type { EditHow, SharedMailbox } from './shared-mailbox.js'

/** A journal larger than this is written anew when the mailbox is closed, or when nothing waits in it and it is twice as large as it was then. */
const COMPACT_OCTETS = 64 * 1024
/** Changes that wait; more are folded in at once. */
const MAX_PENDING = 500
const FOLD_ATTEMPTS = 3
/** Mod-sequences that one record reserves: so many changes until the next is written, and so far they jump after a crash. */
const RESERVED = 1 << 20
/** A journal that could not be begun is not tried again for so long. */
const RETRY_MS = 30_000

/**
 * What lies beside one mailbox in the user's state folder: the `journal`, and the cache.
 *
 * Invariants: rows are kept only while nothing waits in the journal, so they describe what is in the mailbox; an acknowledged change is
 * in the journal until a checkpoint has put it into the mailbox; no mod-sequence is told before the journal has a ceiling above it, and after
 * a crash they go on above the ceiling, whatever the clock says (RFC 7162 §3.1).
 */
export class DiskState implements MailboxState {
  readonly #parts: DiskParts
  readonly #table: MailTable
  readonly cache: DiskCache
  readonly #folds: FoldSchedule
  #pending: PendingChanges
  /** They are in no row yet, since another process acknowledged them. */
  #adopted = false
  #journal: JournalFile | undefined
  #journalValidity: number
  #removals: Removals
  #settled = false
  /** The highest mod-sequence, where that is the last thing that the journal says. */
  #closedAt: number | undefined
  /** Mod-sequences up to this one may be told. */
  #ceiling: number
  #reserving: Promise<void> | undefined
  /** When a journal could not be begun. */
  #failedMs = -Infinity
  /** Octets of the journal when it was last written anew. */
  #compactOctets = 0
  /** When a look had another process write what it has. */
  #rangMs = -Infinity

  /** Fills the table with the rows of last time, and remembers what was acknowledged and not yet folded in. */
  constructor(parts: DiskParts, table: MailTable, { journal, records, rows }: KeptFiles) {
    this.#parts = parts
    this.#table = table
    // Rows have what waits in the journal too, and the mailbox has not.
    this.cache = new DiskCache(parts, table, () => !this.owes)
    this.#folds = new FoldSchedule(parts, () => this.owes)
    this.#journal = journal
    const said = replay(records)
    this.#pending = said.pending
    this.#journalValidity = said.uidValidity
    this.#closedAt = said.closedAt
    this.#ceiling = said.told
    const restored = this.cache.restore(rows)
    const exact = restored && said.closedAt === table.highestModseq
    if (!exact) table.raise(said.told)
    if (restored && !exact) table.renumber()
    this.#removals = exact ? new Removals(said.floor, said.removals) : new Removals(Infinity)
    if (exact) this.cache.isKept()
  }
  get owes(): boolean {
    return !this.#pending.isEmpty
  }
  committed(commit: Commit): void {
    // The first look at a mailbox may be one too, and so the first with a journal; what that means then was settled in `reconcile`.
    if (commit.reset && this.#settled && !(this.#adopted && this.#journalValidity === this.#table.uidValidity)) {
      this.#pending.clear()
      this.#removals = new Removals(this.#table.highestModseq)
      // The journal speaks of other messages: nothing is acknowledged from it before `refreshed` has begun a new one.
      this.#journalValidity = 0
    }
    if (commit.removed.count > 0) {
      this.cache.removed(commit.removed.count)
      this.#pending.forget(commit.removed)
      this.#removals.add(commit.modseq, commit.removed)
      this.#note({ t: 'gone', m: commit.modseq, u: [...commit.removed.ranges] })
    }
  }
  /** Written as soon as possible; losing it costs a client's time, not mail. */
  #note(record: JournalRecord): void {
    // Before the head is written a record would be about nobody knows which messages; the head says it then.
    if (this.#journalValidity !== this.#table.uidValidity) return
    this.#journal?.append(record, false).catch((error: unknown) => this.#parts.logger.warn('mail.journal-failed', { key: this.#parts.key, error }))
  }
  numbering(edit: Edit): Promise<void> | undefined {
    const next = this.#table.nextModseq()
    // The first look is told by nobody before `refreshed`.
    return this.#settled && !this.#mayTell(next) && edit.isNews ? this.#reserve(next) : undefined
  }
  #mayTell(modseq: number): boolean {
    return modseq <= this.#ceiling || this.#table.ownModseqs
  }
  /** Resolves when the journal has a ceiling above this mod-sequence. */
  #reserve(modseq: number): Promise<void> {
    this.#reserving ??= this.#raiseCeiling(modseq + RESERVED).finally(() => (this.#reserving = undefined))
    return this.#reserving
  }
  async #raiseCeiling(ceiling: number): Promise<void> {
    const { logger, key } = this.#parts
    try {
      this.#closedAt = undefined
      await this.#journal?.append({ t: 'open', m: ceiling }, false)
      this.#ceiling = ceiling
    } catch (error) {
      logger.warn('mail.journal-failed', { key, error })
      // A full disk has no room for the word, but an empty journal does not say that the mailbox was closed in order either.
      if (!this.owes) await this.#empty().catch((failure: unknown) => logger.warn('mail.journal-failed', { key, error: failure }))
    }
  }
  /** Nothing is acknowledged from it before the next look has begun a new one. */
  async #empty(): Promise<void> {
    await this.#journal?.clear()
    this.#journalValidity = 0
    this.#ceiling = 0
  }
  reconcile(edit: Edit): void {
    if (this.#journalValidity !== 0 && this.#journalValidity !== edit.uidValidity) {
      // The numbers mean other messages now.
      this.#pending.clear()
      this.#removals = new Removals(Infinity)
    }
    if (this.#pending.isEmpty) return
    this.#pending.apply(edit, this.#settled && !this.#adopted ? edit.touched() : uids.all)
  }
  adopt(mailbox: SharedMailbox): Promise<void> | undefined {
    return this.#journal !== undefined || !this.#settled ? undefined : this.#adopt(mailbox)
  }
  async #adopt(mailbox: SharedMailbox): Promise<void> {
    const opened = await openJournal(this.#parts).catch(async (error: unknown) => {
      if (await mayOwe(this.#parts)) throw new MailError('unavailable', 'flags that were changed last are in a journal that cannot be read', { cause: error })
    })
    if (opened === undefined) return
    const said = replay(opened.records)
    const t = this.#table
    this.#journal = opened.journal
    this.#journalValidity = said.uidValidity
    this.#closedAt = said.closedAt
    this.#ceiling = said.told
    t.raise(said.told)
    // Of which messages it speaks shows when the rows are true.
    if (!said.pending.isEmpty) await this.#foldOthers(mailbox, opened.journal, said.pending)
    await this.#beginTelling()
  }
  /** What another process acknowledged comes before any change of this one. */
  async #foldOthers(mailbox: SharedMailbox, journal: JournalFile, pending: PendingChanges): Promise<void> {
    this.#pending = pending
    this.#adopted = true
    try {
      await mailbox.refreshNow()
    } catch (error) {
      // Not in the rows: they wait in the journal, for the next who has it.
      this.#pending = new PendingChanges()
      this.#journal = undefined
      await journal.close()
      throw error
    } finally {
      this.#adopted = false
    }
    if (canFold(mailbox.source)) await this.#foldFirst(mailbox)
    else this.#parts.logger.warn('mail.journal-kept', { key: this.#parts.key })
  }
  /** What was acknowledged before this process had the journal. Nobody may change flags here for long: what fails is tried again all the same. */
  async #foldFirst(mailbox: SharedMailbox): Promise<void> {
    try {
      await this.foldNow(mailbox)
    } catch (error) {
      this.#folds.later(mailbox)
      throw error
    }
  }
  /** The journal is another process's no more. What clients were told by that one, and what was removed without the journal, is not known here: all counts as changed. */
  async #beginTelling(): Promise<void> {
    const t = this.#table
    t.renumber()
    this.#removals = new Removals(t.highestModseq)
    await this.#startJournal()
  }
  sharesFlags(source: MailboxSource): boolean {
    return this.#journal === undefined && source.checkpoint !== undefined
  }
  async heldBack({ source }: SharedMailbox, holds: (pending: PendingChanges) => boolean): Promise<boolean> {
    if (!this.sharesFlags(source)) return false
    try {
      const others = await readUnlocked(this.#parts)
      return others?.uidValidity === this.#table.uidValidity && holds(others.pending)
    } catch (error) {
      throw asMailFailure(error)
    }
  }
  foldByOthers(tell: (text: string) => void): FoldWait {
    return new FoldWait(this.#parts, this.#parts.settings.durability === 'full', tell)
  }
  /** A look of a process without the journal: the other one may have left, or have flags that are news here. */
  async #lookAtJournal(mailbox: SharedMailbox): Promise<void> {
    try {
      await this.#adopt(mailbox)
      // For news alone, not so often that the other one cannot gather what it writes.
      const { clock, settings } = this.#parts
      if (clock.steady() - this.#rangMs < settings.pollMs || !(await this.heldBack(mailbox, (pending) => !pending.isEmpty))) return
      this.#rangMs = clock.steady()
      await ringBell(this.#parts)
    } catch (error) {
      this.#parts.logger.debug('mail.journal-not-had', { key: this.#parts.key, error })
    }
  }
  async removing(mailbox: SharedMailbox): Promise<(edit: Edit) => void> {
    await this.adopt(mailbox)
    // \Deleted may be in the journal alone; a source that finds its mailbox changed must find that out before it removes.
    if (this.owes) await mailbox.refreshNow()
    if (this.#journal !== undefined) return (edit) => this.reconcile(edit)
    const others = await readUnlocked(this.#parts)
    return (edit) => {
      if (others?.uidValidity === edit.uidValidity) others.pending.apply(edit, uids.all)
    }
  }
  async refreshed(mailbox: SharedMailbox): Promise<void> {
    const t = this.#table
    if (this.#settled) {
      if (this.#journal === undefined) await this.#lookAtJournal(mailbox)
      else if (this.#parts.clock.steady() - this.#failedMs >= RETRY_MS) {
        if (t.toldModseq === 0 && !this.owes) await this.#beginTelling()
        else if (this.#journalValidity !== t.uidValidity) await this.#startJournal()
      }
      this.cache.saveLater(mailbox)
      return
    }
    this.#settled = true
    if (this.#removals.floor === Infinity) this.#removals = new Removals(t.highestModseq)
    if (this.#journal === undefined) await this.#lookAtJournal(mailbox)
    if (this.#journal !== undefined && this.#journalValidity !== t.uidValidity) await this.#startJournal()
    if (!this.#mayTell(t.highestModseq)) await this.#reserve(t.highestModseq)
    if (this.owes) {
      if (!canFold(mailbox.source)) this.#parts.logger.warn('mail.journal-kept', { key: this.#parts.key })
      else await this.#foldFirst(mailbox).catch((error: unknown) => this.#parts.logger.warn('mail.checkpoint-failed', { key: this.#parts.key, error }))
    }
    this.cache.saveLater(mailbox)
  }
  #headRecords(pending: readonly FlagChange[] = this.#pending.changes): JournalRecord[] {
    const t = this.#table
    const records: JournalRecord[] = [{ t: 'head', key: this.#parts.key, uidValidity: t.uidValidity, floor: Math.min(this.#removals.floor, t.highestModseq) }, ...this.#removals.records()]
    for (const change of pending) records.push(flagsRecord(change, change.uids))
    return records
  }
  async #startJournal(): Promise<void> {
    const ceiling = Math.max(this.#ceiling, this.#table.highestModseq + RESERVED)
    try {
      const records: JournalRecord[] = [...this.#headRecords(), { t: 'open', m: ceiling }]
      // With its name on the disk: what is told next must not be forgotten.
      if (this.#journal?.size === 0) await Promise.all(records.map((r) => this.#journal?.append(r, true)))
      else await this.#journal?.rewrite(records)
      this.#journalValidity = this.#table.uidValidity
      this.#ceiling = ceiling
      this.#closedAt = undefined
      this.#table.beginTelling()
    } catch (error) {
      // Without a head nothing can be acknowledged from it: changes go to the mailbox at once. Nobody else gets it: who has it tells mod-sequences.
      this.#parts.logger.warn('mail.journal-failed', { key: this.#parts.key, error })
      this.#failedMs = this.#parts.clock.steady()
      // The old one is whole, and what waits in it waits for these messages.
      if (this.owes) return
      this.#journalValidity = 0
      // That of other messages must not count as closed in order.
      await this.#empty().catch(() => undefined)
    }
  }
  takes(change: FlagChange, source: MailboxSource, table: MailTable): boolean {
    if (source.checkpoint === undefined || !this.#settled || this.#journalValidity !== table.uidValidity || this.#journal === undefined || this.#journal.broken !== undefined) return false
    if (change.how === 'remove' || change.keywords.length === 0) return true
    // Whether a mailbox can take a new keyword is the driver's to say.
    const known = new Set(table.keywords.defined.map((k) => k.toLowerCase()))
    return change.keywords.every((k) => known.has(k.toLowerCase()))
  }
  async storeNow(mailbox: SharedMailbox, change: FlagChange, how: EditHow): Promise<Journalled> {
    if (this.#pending.count >= MAX_PENDING) await this.foldNow(mailbox)
    const { value } = await mailbox.editNow((edit) => {
      const { refused, changed } = edit.apply(change)
      if (changed.count === 0) return Promise.resolve({ refused, durable: Promise.resolve() })
      const { unchangedSince: _, ...plain } = change
      this.#pending.add(plain, changed)
      const next = this.#table.nextModseq()
      // In one write with the change.
      if (!this.#mayTell(next)) void this.#reserve(next)
      const durable = this.#written(mailbox, flagsRecord(plain, changed))
      // Awaited outside the turn.
      durable.catch(() => undefined)
      return Promise.resolve({ refused, durable })
    }, { ...how, reconcile: false })
    this.#folds.later(mailbox)
    return value
  }
  async #written(mailbox: SharedMailbox, record: JournalRecord): Promise<void> {
    try {
      if (this.#journal === undefined || this.#journalValidity !== this.#table.uidValidity) throw new MailError('unavailable', 'there is no journal of this mailbox any more')
      await this.#journal.append(record, true)
    } catch (error) {
      // The journal's disk is full or failing; the change is kept if the mailbox itself takes it.
      await mailbox.inTurn(() => this.foldNow(mailbox)).catch(() => {
        throw asMailFailure(error)
      })
    }
  }
  async foldNow(mailbox: SharedMailbox): Promise<void> {
    const { source } = mailbox
    const checkpoint = source.checkpoint?.bind(source)
    if (!this.owes || checkpoint === undefined) return
    for (let attempt = 1; this.owes; attempt++) {
      // What others changed is taken in first, with what waits laid over it.
      await mailbox.refreshNow()
      // When the mailbox began anew nothing waits for it.
      if (!this.owes) break
      const lost = await this.#write(mailbox, checkpoint)
      if (lost === 0) break
      if (attempt === FOLD_ATTEMPTS) throw new MailError('in-use', 'the mailbox changes while its flags are written')
    }
    if (!(await this.#compactFolded())) await this.#sayFolded()
    this.#pending.clear()
    this.cache.saveLater(mailbox)
  }
  /** How many changes were not written, since the source read something anew on the way; undefined: the mailbox began anew. */
  async #write(mailbox: SharedMailbox, checkpoint: NonNullable<MailboxSource['checkpoint']>): Promise<number | undefined> {
    try {
      const { value } = await mailbox.editNow(async (edit) => {
        await checkpoint(this.#pending.uids, edit, mailbox.signal)
        return this.#pending.apply(edit, edit.touched())
      }, { reconcile: false, byNumber: this.#table.epoch })
      return value
    } catch (error) {
      if (error instanceof MailError && error.kind === 'vanished') return undefined
      throw error
    }
  }
  /** A mailbox may be open for months. Says the same as `#sayFolded`, when it answers true. */
  async #compactFolded(): Promise<boolean> {
    const journal = this.#journal
    if (journal === undefined || this.#journalValidity !== this.#table.uidValidity || journal.size <= Math.max(COMPACT_OCTETS, 2 * this.#compactOctets)) return false
    try {
      this.#closedAt = undefined
      await journal.rewrite([...this.#headRecords([]), { t: 'open', m: this.#ceiling }])
      return true
    } catch (error) {
      this.#parts.logger.warn('mail.journal-failed', { key: this.#parts.key, error })
      return false
    } finally {
      this.#compactOctets = journal.size
    }
  }
  /** On the disk before anything else is written to the mailbox: after a power failure the journal would be laid over newer flags. */
  async #sayFolded(): Promise<void> {
    if (this.#journal === undefined || this.#journalValidity !== this.#table.uidValidity) return
    try {
      this.#closedAt = undefined
      await this.#journal.append({ t: 'folded' }, true)
    } catch (error) {
      this.#parts.logger.warn('mail.journal-failed', { key: this.#parts.key, error })
      // A full disk has no room for the word, but an empty journal says the same.
      await this.#empty()
    }
  }
  vanishedSince(modseq: number): UidSet | undefined {
    return this.#removals.since(modseq)
  }
  async close(mailbox: SharedMailbox, fold: boolean): Promise<void> {
    this.cache.stop()
    await this.#folds[Symbol.asyncDispose]()
    try {
      if (fold && this.#settled && mailbox.source.traits.writable) await mailbox.inTurn(() => this.foldNow(mailbox))
    } finally {
      await this.#finish()
    }
  }
  async discard(): Promise<void> {
    this.cache.stop()
    await this.#folds[Symbol.asyncDispose]()
    await this.cache.discard()
    const journal = this.#journal
    this.#journal = undefined
    // What belongs to the process that has the journal is left to it.
    if (journal !== undefined) await discardState(this.#parts.files, this.#parts.folder, journal)
  }
  async #finish(): Promise<void> {
    const { logger, key } = this.#parts
    this.#folds.stop()
    try {
      await this.cache.close()
      const journal = this.#journal
      const { highestModseq } = this.#table
      if (journal !== undefined && this.#settled && this.#table.toldModseq > 0 && this.#journalValidity === this.#table.uidValidity && this.#closedAt !== highestModseq) {
        const high: JournalRecord = { t: 'high', m: highestModseq }
        if (journal.size > COMPACT_OCTETS) await journal.rewrite([...this.#headRecords(), high])
        else await journal.append(high, false)
      }
    } catch (error) {
      logger.warn('mail.cache-failed', { key, error })
    } finally {
      await this.#journal?.close()
      this.#journal = undefined
    }
  }
}

/** Whether what waits in a journal can be written into the mailbox. */
function canFold({ checkpoint, traits }: MailboxSource): boolean {
  return checkpoint !== undefined && traits.writable
}
