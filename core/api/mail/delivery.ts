import { createToken } from '../kernel.js'
import type { AnyFact } from './message.js'
import type { MailboxSource } from './source.js'
import type { Rows, TableEdit } from './table.js'
import type { UidSet } from './uid-set.js'

/** Octets of a message on its way in, read once: piece by piece, or in one go. */
export interface ArrivingOctets extends AsyncIterable<Uint8Array> {
  /**
   * Reads all of them where they are at hand, and undefined, with nothing read, where they are yet to come. They are the giver's, who needs the place again:
   * to be copied before anything is awaited. Whoever passes octets on in another form leaves this member out.
   */
  atOnce?(): Uint8Array | undefined
  /**
   * Hears from a store, before the commit, that the message will be given out octet by octet as these, which are in memory in one piece, and which nobody changes
   * any more. Facts are made of them behind the answer, with nothing read again. Whoever passes octets on, or gives them out, in another form leaves this member out.
   */
  willBe?(octets: Uint8Array): void
}
/** One message on its way in; `bytes` can be read once. */
export interface AppendItem {
  /** Undefined when it is composed on the way (CATENATE). */
  readonly size: number | undefined
  readonly bytes: ArrivingOctets
  readonly binary: boolean
  readonly system: number
  readonly keywords: readonly string[]
  readonly date?: { readonly ms: number; readonly zone: number }
  readonly facts: ReadonlyMap<AnyFact, unknown>
  /**
   * A migration keeps the number: it is given when it is above those of all messages that are there, even if it was given before, and the storage has a place for
   * it (`about.acceptsUids`); otherwise the message gets the next one.
   */
  readonly uid?: number
}
/** A message as it is to arrive in another mailbox; its octets are those that the source has under the number. */
export interface TakenMessage extends Pick<AppendItem, 'system' | 'keywords' | 'date'> {
  readonly uid: number
}
/** For APPENDUID; undefined where UIDs do not persist. */
export interface AppendResult {
  readonly uidValidity: number
  readonly uids: UidSet
}
/** The mailbox when this process has it open; lets an append add its rows itself. */
export interface OpenMailbox {
  readonly source: MailboxSource
  readonly edit: TableEdit
}
/** A delivery in two phases, because octets arrive as slowly as the client sends them. */
export interface Delivery {
  /** May wait for the network, so it holds no lock and no edit: a spool file, `tmp/`, an upload. */
  add(item: AppendItem, signal: AbortSignal): Promise<void>
  /**
   * Takes messages of another mailbox as that mailbox keeps them, instead of `add` for each: within one format octets need not be turned into
   * those of a client and back. False when it cannot do that with these; nothing is taken then. Octets may be read as late as at the commit, which
   * throws `vanished` when they are not there any more; nothing has arrived then.
   *
   * @param rows of `from`, with its columns, as for `MailboxSource.read`; not to be kept.
   */
  take?(from: MailboxSource, messages: readonly TakenMessage[], rows: Rows, signal: AbortSignal): Promise<boolean>
  /** All or nothing, durable when it resolves. */
  commit(open: OpenMailbox | undefined, signal: AbortSignal): Promise<AppendResult | undefined>
  abort(): Promise<void>
}
/** For formats that have no place of their own for unfinished messages: memory first, then a file of the user's. */
export interface Spool {
  take(item: AppendItem, signal: AbortSignal): Promise<Spooled>
}
/** May be read twice. */
export interface Spooled extends AsyncDisposable {
  readonly size: number
  /** All octets, where they are in memory in one piece; `chunks` gives the same. Valid until it is disposed of. */
  readonly whole?: Uint8Array | undefined
  chunks(): AsyncIterable<Uint8Array>
}
/** Bounded per user and per process. */
export const SPOOL = createToken<Spool>('mail.spool').in('process', ['front', 'mail'])
