import type { Slot } from './protocol.js'
import type { AppendItem, AppendResult } from './mail/delivery.js'
import type { MailEvents } from './mail/events.js'
import type { Examination } from './mail/examination.js'
import type { StoredMessage, Wants } from './mail/message.js'
import type { MailLocation, MailboxName, MailUser, Mount, Purpose } from './mail/names.js'
import type { Uid } from './mail/numbers.js'
import type { Rights } from './mail/policy.js'
import type { MessageValue, SearchTerm, SortKey } from './mail/search.js'
import type { Sidecar } from './mail/sidecar.js'
import type { CopyResult } from './mail/source.js'
import type { MailboxFigures, GivenNumbers } from './mail/store.js'
import type { FlagChange, Rows } from './mail/table.js'
import type { UidSet } from './mail/uid-set.js'

/** The mail of one login, as commands see it: names in; resolvers, layers, rights, quotas and events already applied. Commands never meet a driver. */
export interface MailAccess {
  readonly user: MailUser
  readonly mounts: readonly Mount[]
  readonly events: MailEvents
  /** Calls back with a line for the user while an operation of this login waits for another program, such as one that has locked a mailbox. */
  hearWaits(hear: (text: string) => void): Disposable
  locate(name: MailboxName, purpose: Purpose, signal: AbortSignal): Promise<Located>
  nameOf(at: MailLocation): MailboxName | undefined
  /**
   * Names that match reference and patterns. With `subscribed` the names come from the subscriptions, whether they exist or not, and a name
   * above a subscribed one that a final `%` stops at is `\NoSelect` (RFC 3501 §6.3.9). An empty pattern answers the root of the reference.
   */
  list(query: { readonly reference: MailboxName; readonly patterns: readonly string[]; readonly subscribed?: true }, signal: AbortSignal): AsyncIterable<readonly ListEntry[]>
  /** For NAMESPACE; undefined: a flat mount. */
  delimiterOf(mount: Mount, signal: AbortSignal): Promise<string | undefined>
  figures(of: readonly Located[], signal: AbortSignal): AsyncIterable<MailboxFigures>
  /** Names the physical mailbox: the same for every name, user and host that reaches it. Throws `not-found`. */
  keyOf(at: Located, signal: AbortSignal): Promise<string>
  open(at: Located, mode: 'read-write' | 'read-only', signal: AbortSignal): Promise<MailboxView>
  create(name: MailboxName, how: { readonly specialUse: readonly string[] } & GivenNumbers, signal: AbortSignal): Promise<Located>
  remove(at: Located, signal: AbortSignal): Promise<void>
  rename(from: Located, to: MailboxName, signal: AbortSignal): Promise<void>
  /** A look for damage (`MailStore.examine`), at a mailbox that nobody may be able to open; undefined where its store has none. Throws `not-found`. */
  examine?(at: Located, signal: AbortSignal): Promise<Examination | undefined>
  /**
   * Whether these octets are somewhere in what is stored of the mailbox, ASCII letters in either case: exact where a store looks itself
   * (`MailStore.holds`), else in the messages. A mailbox that cannot be read holds nothing.
   */
  holds(at: Located, octets: Uint8Array, signal: AbortSignal): Promise<boolean>
  append(to: Located, items: AsyncIterable<AppendItem>, signal: AbortSignal): Promise<AppendResult | undefined>
  subscribe(name: MailboxName, on: boolean): Promise<void>
  sidecar(at: Located): Sidecar
  accountSidecar(): Sidecar
}
/** A name that was resolved, probed and weighed. */
export interface Located {
  readonly name: MailboxName
  readonly at: MailLocation
  readonly rights: Rights
}
/** `attributes` may be added to by LIST options. */
export interface ListEntry {
  readonly name: MailboxName
  readonly delimiter: string | undefined
  readonly attributes: Set<string>
  readonly at: Located | undefined
  readonly subscribed: boolean
}

/** Sequence numbers, `*` and `$` resolved: rows of the view's generation, as ascending pairs. */
export interface RowSet {
  readonly pairs: Uint32Array
  readonly count: number
}
/** As parsed; `*` is 0xffffffff. */
export type SequenceSet = { readonly pairs: Uint32Array } | 'saved'

/** One session's sight of a mailbox: a generation of rows, how much of it was announced, and a place in the change log. A few dozen bytes. */
export interface MailboxView {
  readonly at: Located
  readonly rows: Rows
  readonly announced: number
  readonly recentCount: number
  readonly readOnly: boolean
  readonly uidValidity: number
  readonly uidNext: number
  readonly highestModseq: number
  /** SEARCHRES; core removes expunged ones. Undefined: nothing saved. */
  saved: UidSet | undefined
  isRecent(row: number): boolean
  /**
   * Rows of the announced messages that the set names. `*` is the last one, also for uids (`n:*` names it when n is beyond it,
   * RFC 3501 §9); other numbers without a message are left out, so a daemon that refuses them compares with `announced` first.
   */
  resolve(set: SequenceSet, by: 'seq' | 'uid'): RowSet
  uidsOf(rows: RowSet): UidSet
  seqOf(uid: Uid): number | -1
  /**
   * What this session has not been told; `undefined` when there is nothing. Afterwards `rows` and `announced` are the new ones.
   * Without `expunge` removals stay untold and the numbering stays. Called by the daemon's flush alone.
   */
  take(may: { readonly expunge: boolean }): ViewChanges | undefined
  /** Calls back, any number of times, when `take` may have something, or when the source says that a `sync` may find something. */
  watch(hear: (what: 'changes' | 'sync') => void): Disposable
  /** Whether another program has the mailbox for itself now, and does not give it up: changes would be refused. */
  heldElsewhere(signal: AbortSignal): Promise<boolean>
  /** Folds what is journalled into the mailbox (CHECK); nothing where there is nothing to fold. */
  checkpoint(signal: AbortSignal): Promise<void>
  /** FLAGS and PERMANENTFLAGS. */
  readonly keywords: { readonly defined: readonly string[]; readonly canCreate: boolean }
  readonly uidsPersist: boolean
  /** Makes the rows true; what it finds waits for `updates.flush`. */
  sync(signal: AbortSignal): Promise<void>
  fill(rows: RowSet, signal: AbortSignal): Promise<void>
  read(rows: RowSet, wants: Wants, signal: AbortSignal): AsyncIterable<readonly StoredMessage[]>
  /** `silent`: this session is not told of its own change. Returns what `unchangedSince` refused. */
  store(change: FlagChange, silent: boolean, signal: AbortSignal): Promise<UidSet>
  expunge(among: UidSet, signal: AbortSignal): Promise<UidSet>
  /**
   * Removes messages whether or not they bear \Deleted, in one step (QUIT of POP3). Returns those that were removed. None of them: changes nothing, and fails where
   * messages could not be removed now.
   */
  remove(among: UidSet, signal: AbortSignal): Promise<UidSet>
  copy(rows: RowSet, to: Located, how: 'copy' | 'move', signal: AbortSignal): Promise<CopyResult | undefined>
  search(term: SearchTerm, within: UidSet, signal: AbortSignal): Promise<UidSet>
  /** Uids of what is found, in the order of the keys; messages that are equal in all of them are in the order of the mailbox (RFC 5256 §3). */
  sort(keys: readonly SortKey[], term: SearchTerm, signal: AbortSignal): Promise<Uint32Array>
  /** What is found, as one threading puts it together. */
  threads(by: Threading, term: SearchTerm, signal: AbortSignal): Promise<readonly ThreadNode[]>
  /**
   * Values of messages: one list for each of `of`, in the order of `rows`. What is wanting is read in one go. A message that is gone has 0, or
   * the empty string where other messages have strings.
   */
  values(of: readonly MessageValue[], rows: RowSet, signal: AbortSignal): Promise<readonly (readonly (string | number)[])[]>
  vanished(since: number, among: UidSet, signal: AbortSignal): Promise<UidSet>
  close(signal: AbortSignal): Promise<void>
}
/** One message and those below it. */
export interface ThreadNode {
  /** 0 stands for a message that is not among those that were found, and holds its children together. */
  readonly uid: number
  readonly children: readonly ThreadNode[]
}
/** A way to put messages together in threads (RFC 5256 §3), by its name in THREAD. */
export interface Threading {
  readonly name: string
  /** The result follows from what is in the messages, not from flags: core may give the one that it had for the same messages. */
  readonly lasting?: boolean
  /** Every message of `within` is in the result once. Long work gives way (`Pace`). */
  run(within: UidSet, view: MailboxView, signal: AbortSignal): Promise<readonly ThreadNode[]>
}
/** What `flush` is about to tell, in view terms; arrays are reused. */
export interface ViewChanges {
  readonly removed: UidSet
  readonly changed: RowSet
  /** The rows of `removed` in the numbering that the client has, ascending; `changed` and `arrived` are in the new one. */
  readonly removedRows: RowSet
  readonly arrived: RowSet
  readonly keywordsChanged: boolean
  readonly recentChanged: boolean
  readonly notices: readonly { readonly severity: 'information' | 'warning'; readonly text: string }[]
  /** Another program gave the mailbox its UIDVALIDITY before any message had a uid here: nothing that the client knows is void. */
  readonly newUidValidity: boolean
  /** UIDVALIDITY changed: nothing that the client knows holds. */
  readonly reset: boolean
}
/** Typed access to slots. */
export interface SlotHolder {
  slot<T>(s: Slot<T>): T
  setSlot<T>(s: Slot<T>, value: T): void
}
