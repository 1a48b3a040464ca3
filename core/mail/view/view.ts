import { MailError, SYSTEM, uids } from '../../api/index.js'
import type {
  CopyResult,
  FlagChange,
  Located,
  MailboxView,
  MessageValue,
  RowSet,
  Rows,
  SearchTerm,
  SequenceSet,
  SortKey,
  StoredMessage,
  TellWait,
  ThreadNode,
  Threading,
  Uid,
  UidSet,
  ViewChanges,
  Wants,
} from '../../api/index.js'
import { throwIfCancelled } from '../failures.js'
import type { SharedMailbox } from '../registry/shared-mailbox.js'
import { newsAfter, type LogNode, type Notice } from '../table/change-log.js'
import type { Generation } from '../table/generation.js'
import { noRows, rowRange, rowSet, rowsOf, uidsOf } from '../table/row-sets.js'
import type { Standing } from '../table/table.js'
import type { Derivers } from './deriving.js'
import { goneSince, readMessages, readStored } from './reader.js'

/** What a view needs of the login that it belongs to. */
export interface ViewOwner {
  readonly derivers: Derivers
  /** Copies or moves to another place; policies and the choice of the way are the owner's. */
  copy(from: TableView, set: UidSet, to: Located, how: 'copy' | 'move', signal: AbortSignal): Promise<CopyResult | undefined>
  search(from: TableView, term: SearchTerm, within: UidSet, signal: AbortSignal): Promise<UidSet>
  sort(from: TableView, keys: readonly SortKey[], term: SearchTerm, signal: AbortSignal): Promise<Uint32Array>
  threads(from: TableView, by: Threading, term: SearchTerm, signal: AbortSignal): Promise<readonly ThreadNode[]>
  values(from: TableView, of: readonly MessageValue[], rows: RowSet, signal: AbortSignal): ReturnType<MailboxView['values']>
  closed(view: TableView, signal: AbortSignal): Promise<void>
  /** The login hears what operations of the mailbox wait for, until disposed. */
  listening(mailbox: SharedMailbox): Disposable
  /** The same of what is no operation of a mailbox. */
  readonly tellWait: TellWait
  /** What has to happen before the view's mailbox is looked at again. */
  beforeSync(view: TableView, signal: AbortSignal): Promise<void>
}

const LAST = 0xffffffff

/**
 * One session's sight of a shared mailbox: a generation, how many of its rows were announced, a place in the log of flag news, and
 * the recent messages that are this session's. Numbering changes in `take` alone.
 */
export class TableView implements MailboxView, Standing {
  readonly at: Located
  readonly readOnly: boolean
  readonly mailbox: SharedMailbox
  readonly #owner: ViewOwner
  generation: Generation
  mark: LogNode
  announced = 0
  saved: UidSet | undefined
  #recent: UidSet = uids.none
  #seen = -1
  #epoch: number
  /** At the last `take`; 1: the client has not heard of any uid. */
  #uidNext: number
  /** Who was told NOMODSEQ hears of none until it selects the mailbox again (RFC 7162 §3.1.2.2). */
  readonly #tellsModseqs: boolean
  #open = true
  readonly #listening: Disposable[] = []

  /** What was said while the mailbox was opened, and not told yet. */
  #early: readonly Notice[]

  /** The mailbox is in its turn and fresh; the view begins with everything announced. */
  constructor(mailbox: SharedMailbox, at: Located, readOnly: boolean, owner: ViewOwner, early: readonly Notice[] = []) {
    this.#early = early
    this.mailbox = mailbox
    this.at = at
    this.readOnly = readOnly
    this.#owner = owner
    const t = mailbox.table
    this.generation = t.generation
    this.mark = t.log.tail
    this.#epoch = t.epoch
    t.enter(this)
    this.announced = t.length
    this.#tellsModseqs = t.toldModseq > 0
    this.#uidNext = t.uidNext
    this.#claim()
    // With something to tell, nothing was seen.
    this.#seen = early.length > 0 ? -1 : t.version
  }
  get rows(): Rows {
    return this.generation
  }
  get recentCount(): number {
    return this.#recent.count
  }
  /** That of the numbers which the session knows. */
  get epoch(): number {
    return this.#epoch
  }
  get uidValidity(): number {
    return this.mailbox.table.uidValidity
  }
  get uidNext(): number {
    return this.mailbox.table.uidNext
  }
  get highestModseq(): number {
    return this.#tellsModseqs ? this.mailbox.table.toldModseq : 0
  }
  get keywords(): { readonly defined: readonly string[]; readonly canCreate: boolean } {
    return this.mailbox.table.keywords
  }
  get uidsPersist(): boolean {
    return this.mailbox.source.traits.uidsPersist
  }
  isRecent(row: number): boolean {
    return this.#recent.count > 0 && this.#recent.has(this.generation.uid[row]!)
  }

  // ---- numbers

  resolve(set: SequenceSet, by: 'seq' | 'uid'): RowSet {
    const end = this.announced
    if (set === 'saved') return this.saved === undefined || end === 0 ? noRows : rowsOf(this.generation, this.saved, end)
    if (end === 0) return noRows
    const pairs = new Uint32Array(set.pairs.length)
    const star = by === 'seq' ? end : this.generation.uid[end - 1]!
    for (let i = 0; i < pairs.length; i++) pairs[i] = set.pairs[i] === LAST ? star : set.pairs[i]!
    const wanted = uids.ranges(pairs)
    if (by === 'uid') return rowsOf(this.generation, wanted, end)
    const there = wanted.and(uids.ranges(Uint32Array.of(1, end)))
    return rowSet(there.ranges.map((n) => n - 1))
  }
  uidsOf(rows: RowSet): UidSet {
    return uidsOf(this.generation, rows)
  }
  seqOf(uid: Uid): number | -1 {
    const row = this.generation.find(uid)
    return row === -1 || row >= this.announced ? -1 : row + 1
  }

  // ---- news

  take(may: { readonly expunge: boolean }): ViewChanges | undefined {
    const t = this.mailbox.table
    if (this.#seen === t.version) return undefined
    if (this.#epoch !== t.epoch) return this.#startAgain()
    const before = this.#recent.count
    const news = newsAfter(this.mark, this)
    t.toEnd(this, news.end)
    const notices = [...this.#early, ...news.notices]
    this.#early = []
    let removed = uids.none
    let removedRows = noRows
    const behind = this.generation !== t.generation
    if (behind && may.expunge) {
      removedRows = rowsOf(this.generation, goneSince(this.generation), this.announced)
      removed = uidsOf(this.generation, removedRows)
      t.toPresent(this)
      this.announced -= removedRows.count
      this.#recent = this.#recent.minus(removed)
      if (this.saved !== undefined) this.saved = this.saved.minus(removed)
      this.mailbox.movedOn()
    }
    const changed = news.flags.count === 0 ? noRows : rowsOf(this.generation, news.flags, this.announced)
    const arrived = rowRange(this.announced, t.lengthOf(this.generation))
    this.announced += arrived.count
    this.#uidNext = t.uidNext
    if (arrived.count > 0) this.#claim()
    if (!behind || may.expunge) this.#seen = t.version
    const recentChanged = this.#recent.count !== before
    if (removed.count + changed.count + arrived.count + notices.length === 0 && !news.keywords && !recentChanged) return undefined
    return { removed, changed, removedRows, arrived, keywordsChanged: news.keywords, recentChanged, notices, newUidValidity: false, reset: false }
  }
  #startAgain(): ViewChanges {
    const t = this.mailbox.table
    t.leave(this)
    t.enter(this)
    this.#epoch = t.epoch
    this.#seen = t.version
    const unused = this.#uidNext === 1 && this.mailbox.gone === undefined
    this.#uidNext = t.uidNext
    this.announced = t.length
    this.saved = undefined
    this.#recent = uids.none
    const notices = this.#early
    this.#early = []
    if (unused) this.#claim()
    const arrived = unused ? rowRange(0, t.length) : noRows
    return { removed: uids.none, changed: noRows, removedRows: noRows, arrived, keywordsChanged: true, recentChanged: true, notices, newUidValidity: unused, reset: !unused }
  }
  /** Recent messages become this session's; a session that only reads sees them and leaves them to the next. */
  #claim(): void {
    const t = this.mailbox.table
    if (t.unclaimed.count === 0) return
    this.#recent = this.#recent.or(t.unclaimed)
    if (!this.readOnly) this.mailbox.give()
  }
  watch(hear: (what: 'changes' | 'sync') => void): Disposable {
    const listening = this.mailbox.listen(hear)
    this.#listening.push(listening)
    return listening
  }
  async sync(signal: AbortSignal): Promise<void> {
    if (this.mailbox.current || this.mailbox.gone !== undefined) return
    using _heard = this.#owner.listening(this.mailbox)
    await this.#owner.beforeSync(this, signal)
    await this.mailbox.refresh(signal)
  }

  // ---- messages

  async fill(rows: RowSet, signal: AbortSignal): Promise<void> {
    if (this.generation.gaps === 0) return
    const g = this.generation
    const wanted: number[] = []
    for (let i = 0; i < rows.pairs.length; i += 2) {
      for (let row = rows.pairs[i]!; row <= rows.pairs[i + 1]!; row++) if (g.hasGap(row)) wanted.push(g.uid[row]!)
    }
    if (wanted.length === 0) return
    using _heard = this.#owner.listening(this.mailbox)
    await this.mailbox.fill(uids.from(wanted), signal, this.#epoch)
  }
  read(rows: RowSet, wants: Wants, signal: AbortSignal): AsyncIterable<readonly StoredMessage[]> {
    return this.readUids(this.uidsOf(rows), wants, signal)
  }
  readUids(set: UidSet, wants: Wants, signal: AbortSignal): AsyncGenerator<readonly StoredMessage[]> {
    throwIfCancelled(signal)
    this.mailbox.mustMean(this.#epoch)
    const { mailbox, generation } = this
    const sight = { mailbox, generation, epoch: this.#epoch }
    return wants.facts.length === 0 ? readStored(sight, set, wants, signal) : readMessages(sight, set, wants, this.#owner.derivers, signal)
  }
  async store(change: FlagChange, silent: boolean, signal: AbortSignal): Promise<UidSet> {
    this.#mustWrite()
    using _heard = this.#owner.listening(this.mailbox)
    let refused = uids.none
    for (const part of permitted(change, this.at.rights, this.keywords.defined)) {
      const rest = refused.count === 0 ? part : { ...part, uids: part.uids.minus(refused) }
      refused = refused.or(await this.mailbox.store(rest, silent ? this : undefined, signal, this.#epoch))
    }
    return refused
  }
  async expunge(among: UidSet, signal: AbortSignal): Promise<UidSet> {
    this.#mustWrite()
    this.#mustHave('e')
    using _heard = this.#owner.listening(this.mailbox)
    return await this.mailbox.expunge(among, false, signal, this.#epoch)
  }
  async remove(among: UidSet, signal: AbortSignal): Promise<UidSet> {
    this.#mustWrite()
    this.#mustHave('e')
    using _heard = this.#owner.listening(this.mailbox)
    if (among.count === 0) {
      await this.mailbox.mayExpunge(signal)
      return among
    }
    return await this.mailbox.expunge(among, true, signal, this.#epoch)
  }
  async copy(rows: RowSet, to: Located, how: 'copy' | 'move', signal: AbortSignal): Promise<CopyResult | undefined> {
    this.mailbox.mustMean(this.#epoch)
    if (how === 'move') {
      this.#mustWrite()
      this.#mustHave('e')
    }
    return this.#owner.copy(this, this.uidsOf(rows), to, how, signal)
  }
  search(term: SearchTerm, within: UidSet, signal: AbortSignal): Promise<UidSet> {
    return this.#meant(this.#owner.search(this, term, within, signal))
  }
  sort(keys: readonly SortKey[], term: SearchTerm, signal: AbortSignal): Promise<Uint32Array> {
    return this.#meant(this.#owner.sort(this, keys, term, signal))
  }
  threads(by: Threading, term: SearchTerm, signal: AbortSignal): Promise<readonly ThreadNode[]> {
    return this.#meant(this.#owner.threads(this, by, term, signal))
  }
  values(of: readonly MessageValue[], rows: RowSet, signal: AbortSignal): ReturnType<MailboxView['values']> {
    return this.#meant(this.#owner.values(this, of, rows, signal))
  }
  /** What was found counts only for the numbers that the session knows. */
  async #meant<T>(found: Promise<T>): Promise<T> {
    const value = await found
    this.mailbox.mustMean(this.#epoch)
    return value
  }
  vanished(since: number, among: UidSet, signal: AbortSignal): Promise<UidSet> {
    return this.mailbox.vanished(since, among, signal)
  }
  async heldElsewhere(signal: AbortSignal): Promise<boolean> {
    return (await this.mailbox.source.heldElsewhere?.(signal, this.#owner.tellWait)) === true
  }
  async checkpoint(signal: AbortSignal): Promise<void> {
    if (this.readOnly) return
    using _heard = this.#owner.listening(this.mailbox)
    await this.mailbox.checkpoint(signal)
  }
  async close(signal: AbortSignal): Promise<void> {
    if (!this.#open) return
    this.#open = false
    for (const listening of this.#listening) listening[Symbol.dispose]()
    this.mailbox.table.leave(this)
    this.mailbox.movedOn()
    await this.#owner.closed(this, signal)
  }
  #mustWrite(): void {
    if (!this.#open) throw new Error('the view was used after it was closed')
    if (this.readOnly) throw new MailError('read-only', 'the mailbox is open for reading only')
  }
  #mustHave(right: string): void {
    if (!this.at.rights.includes(right)) throw new MailError('denied', `this needs the right "${right}"`)
  }
}

/** The part of a change that the rights allow, as changes; \Seen, \Deleted and the others are rights of their own (RFC 4314 §4). */
function permitted(change: FlagChange, rights: string, defined: readonly string[]): readonly FlagChange[] {
  let mask = 0
  if (rights.includes('s')) mask |= SYSTEM.seen
  if (rights.includes('t')) mask |= SYSTEM.deleted
  const others = rights.includes('w')
  if (others) mask |= SYSTEM.flagged | SYSTEM.answered | SYSTEM.draft
  if (mask === (SYSTEM.seen | SYSTEM.deleted | SYSTEM.flagged | SYSTEM.answered | SYSTEM.draft)) return [change]
  if (mask === 0) throw new MailError('denied', 'flags of this mailbox cannot be changed')
  const system = change.system & mask
  const keywords = others ? change.keywords : []
  if (change.how !== 'replace') {
    if (system === 0 && keywords.length === 0) throw new MailError('denied', 'these flags cannot be changed')
    return [{ ...change, system, keywords }]
  }
  const kept = new Set(keywords.map((k) => k.toLowerCase()))
  const dropped = others ? defined.filter((k) => !kept.has(k.toLowerCase())) : []
  const { unchangedSince: _, ...rest } = change
  return [
    { ...change, how: 'remove', system: mask & ~system, keywords: dropped },
    { ...rest, how: 'add', system, keywords },
  ]
}
