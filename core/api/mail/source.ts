import type { FileStat } from '../files.js'
import type { AnyFact, StoredMessage, Wants } from './message.js'
import type { MailLocation } from './names.js'
import type { Modseq } from './numbers.js'
import type { SearchAbility } from './search.js'
import type { Column, FlagChange, Rows, TableEdit, TellWait } from './table.js'
import type { UidSet } from './uid-set.js'

/** Facts of this one mailbox, which may be less than its driver's `about`. */
export interface SourceTraits {
  readonly writable: boolean
  /** What whoever would have written is told, where it is not writable although mailboxes of its kind are; a warning. */
  readonly protected?: string
  readonly uidsPersist: boolean
  readonly modseqs: 'own' | 'numbered-by-core'
  readonly facts: readonly AnyFact[]
  readonly columns: readonly (Column<'u32'> | Column<'f64'> | Column<'ref'>)[]
}
/**
 * A mailbox of the store: one per mailbox and process, however many sessions look at it. Knows no session, no sequence
 * number, no untagged response. Locks are taken and released within one call.
 */
export interface MailboxSource {
  readonly traits: SourceTraits
  /**
   * Makes the rows true. With `claimRecent`, new messages are marked as seen by somebody in the same locked section; without, nothing is written.
   * `found` is how the file was found for the command that asks: where it is as the rows describe it, another look can be spared.
   */
  refresh(edit: TableEdit, how: { readonly claimRecent: boolean; readonly found?: FileStat }, signal: AbortSignal): Promise<void>
  /** Returns the uids refused because of `unchangedSince`, decided under the lock. */
  store(change: FlagChange, edit: TableEdit, signal: AbortSignal): Promise<UidSet>
  /** Removes those of `among` that bear \Deleted; with `always`, all of them (MOVE, REPLACE). */
  expunge(among: UidSet, how: { readonly always: boolean }, edit: TableEdit, signal: AbortSignal): Promise<void>
  /**
   * Asked before messages are copied that are to be removed afterwards (MOVE): a removal that is refused would leave them in both places. Changes nothing. Absent: a mailbox
   * that may be written to has its messages removed, whoever else has it open.
   *
   * @throws MailError as `expunge` would now; `in-use`.
   */
  mayExpunge?(signal: AbortSignal): Promise<void>
  /** Batches, ascending; a message that is gone is left out. Pulling is the back-pressure. */
  read(uids: UidSet, wants: Wants, rows: Rows, signal: AbortSignal): AsyncIterable<readonly StoredMessage[]>
  close(): Promise<void>
  /** Fills sizes or dates that were UNKNOWN. Required when rows are added with gaps. */
  fill?(uids: UidSet, edit: TableEdit, signal: AbortSignal): Promise<void>
  /**
   * No session of this process sees the removed messages any more: space may be taken back. It is asked for some time later, when fewer wait. Only of a source with this ability are
   * removed messages asked for by sessions that lag, with the rows of their generation.
   */
  reclaim?(signal: AbortSignal): Promise<void>
  /** Present where writing flags is dear (text formats): core keeps STOREs in the journal, durable at once, and has `dirty` written here later. */
  checkpoint?(dirty: UidSet, edit: TableEdit, signal: AbortSignal): Promise<void>
  /**
   * Whether another program has the mailbox for itself, so that changes would be refused now; it is asked to give way before. Absent: others
   * never do. Asked before a session that is of no use unless it can write (POP3).
   */
  heldElsewhere?(signal: AbortSignal, waits?: TellWait): Promise<boolean>
  /** Calls back when a refresh may find something; without it core polls. */
  watch?(changed: () => void): Disposable
  /** Uids removed after `since`; without it core answers from its journal or from the uids that exist. */
  vanished?(since: Modseq, among: UidSet, signal: AbortSignal): Promise<UidSet>
  copy?(uids: UidSet, to: MailLocation, how: 'copy' | 'move', edit: TableEdit, signal: AbortSignal): Promise<CopyResult | undefined>
  readonly search?: SearchAbility
}
/** Both ascending and paired by position. */
export interface CopyResult {
  readonly uidValidity: number
  readonly from: UidSet
  readonly to: UidSet
}
