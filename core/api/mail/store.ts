import type { FileStat } from '../files.js'
import { extensionPoint } from '../kernel.js'
import type { Delivery } from './delivery.js'
import type { MailEvent } from './events.js'
import type { Examination } from './examination.js'
import type { AnyFact } from './message.js'
import type { MailLocation, MailUser } from './names.js'
import type { Sidecars } from './sidecar.js'
import type { MailboxSource } from './source.js'
import type { TellWait } from './table.js'

/** What one directory read tells; never opens a mailbox. */
export interface MailboxEntry {
  readonly path: string
  readonly selectable: boolean
  readonly children: 'yes' | 'no' | 'unknown'
  readonly inferiors: boolean
  readonly marked?: boolean
  readonly attributes: readonly string[]
}
/** Patterns are given so that a database filters; returning too much is allowed. */
export interface ListQuery {
  readonly under: MailLocation
  readonly patterns: readonly string[]
  readonly wantChildren: boolean
}
/** STATUS, without its protocol. */
export interface MailboxFigures {
  readonly at: MailLocation
  readonly messages: number
  readonly unseen: number
  readonly recent: number
  readonly deleted: number
  readonly size: number
  readonly uidNext: number
  readonly uidValidity: number
  readonly highestModseq: number
}
/** Finding and opening are one question to a remote store, not two. */
export interface FoundMailbox {
  /** Names the physical mailbox (device and inode, row id): equal keys share one source per process, also across hosts and reloads. */
  readonly key: string
  /** Where it was found, when the same key may turn up elsewhere (a file that was moved, an inode that is used again). */
  readonly place?: string
  /** Whether it can be reached at another place as well (a link), rather than having been moved from there. */
  isAlsoAt?(place: string): Promise<boolean>
  readonly empty: boolean
  /** What its octets are written in, where a key may turn up with another format: a file that a program rewrote in place, an inode that is used again. */
  readonly format?: string
  /** It is an INBOX that is kept elsewhere than where mail is delivered: new mail is moved from there. */
  readonly takesNewMail?: boolean
  /** The file or folder as it was found, for `refresh`. */
  readonly stat?: FileStat
  /** Not called when a source with this key is open. */
  open(signal: AbortSignal): Promise<MailboxSource>
}
/**
 * Numbers that a new mailbox begins with, instead of its own: it goes on for another (a migration). A storage that has no place for them leaves them out.
 */
export interface GivenNumbers {
  readonly uidValidity?: number
  /** Lower ones are given only to messages that come with them (`AppendItem.uid`). */
  readonly uidNext?: number
}
/** Subscriptions of one login that stand with the mailboxes themselves, such as those to newsgroups in `.newsrc`. Paths are those of locations in the mount. */
export interface StoreSubscriptions {
  list(): Promise<readonly string[]>
  /** Durable when it resolves. Throws `not-found` for what cannot be subscribed, or is not subscribed when it is to be taken off. */
  set(path: string, on: boolean): Promise<void>
}
/** Names and mailboxes of one login in one kind of storage. */
export interface MailStore {
  readonly delimiter: string | undefined
  list(query: ListQuery, signal: AbortSignal): AsyncIterable<readonly MailboxEntry[]>
  find(at: MailLocation, signal: AbortSignal): Promise<FoundMailbox | undefined>
  create(at: MailLocation, how: { readonly specialUse: readonly string[] } & GivenNumbers): Promise<void>
  remove(at: MailLocation, waits?: TellWait): Promise<void>
  rename(from: MailLocation, to: MailLocation, waits?: TellWait): Promise<void>
  /** @param found what `find` answered for the place just now, so that it need not be looked for once more */
  append(at: MailLocation, signal: AbortSignal, found?: FoundMailbox): Promise<Delivery>
  close(): Promise<void>
  /** Many at once; without it core opens and refreshes each. */
  figures?(at: readonly MailLocation[], signal: AbortSignal): AsyncIterable<MailboxFigures>
  watch?(event: (e: MailEvent) => void): Disposable
  readonly sidecars?: Sidecars
  /** Whoever else uses this storage keeps the list of what the user subscribed, and it counts for names of this store; the driver's `about` says so too. */
  readonly subscriptions?: StoreSubscriptions
  /**
   * Whether these octets are in what is stored of the mailbox, ASCII letters in either case; false for what is no mailbox. Takes no locks and
   * changes nothing, times of access included. Without it core reads the messages.
   */
  holds?(at: MailLocation, octets: Uint8Array, signal: AbortSignal): Promise<boolean>
  /** `MailboxFormat.examine` of the format that takes the mailbox, or else of the one that can read most of it; undefined when none can. */
  examine?(at: MailLocation, signal: AbortSignal): Promise<Examination | undefined>
}
/** One per host. */
export interface MailDriver {
  openStore(user: MailUser, signal: AbortSignal): Promise<MailStore>
}
/** What is known of a driver without creating it: capabilities, `check` and `explain` read it. */
export interface DriverAbout {
  readonly modseqs: boolean
  readonly keywords: 'any' | 'fixed' | 'none'
  readonly uidsPersist: boolean
  readonly hierarchy: boolean
  readonly watches: boolean
  readonly facts: readonly AnyFact[]
  /** Safe when several server processes have the mailbox open. */
  readonly manyProcesses: boolean
  /** Messages keep the numbers that they come with, and new mailboxes begin with those that they are given; of a store, in those of its formats that do. */
  readonly acceptsUids: boolean
  /** Its stores have `subscriptions`. Absent: none has. */
  readonly subscriptions?: true
}
/** Kinds of storage: `files`, `postgres`, `imap`, `news`, `memory`. */
export const mailDrivers = extensionPoint<MailDriver, DriverAbout>('mail.drivers').in({ scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.drivers.stores' })
