import type { FactCache, AnyFact, FlagChange, MailboxSource, UidSet } from '../../api/index.js'
import type { FoldWait } from '../journal/fold-bell.js'
import type { PendingChanges } from '../journal/pending.js'
import type { Edit } from '../table/edit.js'
import type { Commit, MailTable } from '../table/table.js'
import type { EditHow, SharedMailbox } from './shared-mailbox.js'

/** A change that the journal has. */
export interface Journalled {
  readonly refused: UidSet
  /** Resolves when the change survives a crash. */
  readonly durable: Promise<void>
}
/** What core keeps beside a mailbox on the disk: the journal of edits and the cache of rows and facts. */
export interface MailboxState {
  /** Whether acknowledged changes wait for the mailbox itself. */
  readonly owes: boolean
  /** Before a commit: resolves when the number that the edit will get may be told. Undefined: it may be already. */
  numbering(edit: Edit): Promise<void> | undefined
  /** After each edit that changed something. */
  committed(commit: Commit): void
  /** Before a refresh is committed: changes that are not in the mailbox yet are laid over what the source found. */
  reconcile(edit: Edit): void
  /** After a refresh, in the same turn. */
  refreshed(mailbox: SharedMailbox): Promise<void>
  /**
   * Before a change of flags; the caller has the turn. What an earlier process acknowledged in a journal that this one does not have comes first:
   * later it would be laid over newer flags. Undefined: the journal is had.
   *
   * @throws MailError when there may be such a thing and it cannot be read
   */
  adopt(mailbox: SharedMailbox): Promise<void> | undefined
  /** Whether another process may have the journal, and flags in it of which the mailbox says nothing yet. */
  sharesFlags(source: MailboxSource): boolean
  /** Whether it has such as it must put into the mailbox first. */
  heldBack(mailbox: SharedMailbox, holds: (pending: PendingChanges) => boolean): Promise<boolean>
  /** Waits for that; `tell` hears of it when it is long. Without the turn: the other process may need something of this one. */
  foldByOthers(tell: (text: string) => void): FoldWait
  /**
   * Before messages are removed that bear \Deleted; the caller has the turn. It returns what lays over the source's flags those that were acknowledged and
   * are not in the mailbox yet, by this process or another: a message that was undeleted stays.
   */
  removing(mailbox: SharedMailbox): Promise<(edit: Edit) => void>
  /** Whether the journal answers for this change instead of the source. */
  takes(change: FlagChange, source: MailboxSource, table: MailTable): boolean
  /** The caller has the turn; `durable` is awaited without it, so that others' changes share the sync. */
  storeNow(mailbox: SharedMailbox, change: FlagChange, how: EditHow): Promise<Journalled>
  /** Writes what is owed into the mailbox; the caller has the turn. */
  foldNow(mailbox: SharedMailbox): Promise<void>
  /** Undefined when it cannot tell. */
  vanishedSince(modseq: number): UidSet | undefined
  readonly cache: CacheState
  close(mailbox: SharedMailbox, fold: boolean): Promise<void>
  /** Instead of `close`: the mailbox is gone, and so is what was kept of it. */
  discard(): Promise<void>
}
/** Facts of the messages of a mailbox, and what clients ask of them. */
export interface CacheState {
  facts(fact: AnyFact): Promise<LoadableFacts>
  /** A client asked for these. */
  asked(facts: readonly AnyFact[]): void
  /** Ids of the facts that clients asked for lately; undefined: nobody ever asked for any in the account, as far as is known. */
  lately(): Promise<readonly string[] | undefined>
  /** Up to which uid messages were looked at for facts when they arrived; undefined: none were. */
  madeTo(): Promise<number | undefined>
  made(uid: number): Promise<void>
}
/** Facts whose segments are loaded before they are asked for. */
export interface LoadableFacts extends FactCache {
  /** Loads what is kept of these uids; a later `get` of them is synchronous. */
  load(first: number, last: number): Promise<void>
  /** What `get` says of each of these uids, which ascend. */
  all(uids: Uint32Array): (Uint8Array | undefined)[]
}
