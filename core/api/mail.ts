import { createToken, extensionPoint } from './kernel.js'
import type { FileStat } from './files.js'
import type { Codec } from './kernel.js'

declare const unit: unique symbol
declare const carries: unique symbol
type Branded<B extends string> = number & { readonly [unit]: B }
/** Numbers of different kinds do not mix. */
export type Uid = Branded<'uid'>
/** Only views and wire know it. */
export type Seq = Branded<'seq'>
/** 1 … 2^53-1. A store whose numbers are larger keeps them as a private column and lets the table number. */
export type Modseq = Branded<'modseq'>
/** Index into `Rows.flagSets`; equal flags have equal ids, so a column holds any number of keywords. */
export type FlagSetId = Branded<'flags'>
/** A row of one generation; sequence number = row + 1. */
export type Row = Branded<'row'>

/** Ascending, disjoint ranges. Never expanded: `1:4294967295` costs 8 bytes. */
export interface UidSet {
  readonly ranges: Uint32Array
  readonly count: number
  has(uid: number): boolean
  and(other: UidSet): UidSet
  or(other: UidSet): UidSet
  minus(other: UidSet): UidSet
}
/** The only makers of sets. */
export { uids } from './uid-set.js'

// ---- names and places

/** Decoded UTF-8 as the client means it; modified UTF-7 lives in core/wire only. */
export type MailboxName = string & { readonly [unit]: 'mailbox-name' }
/** Where a name leads: a root that a mount declared, and a path below it. The guard in core checks that it stays below. */
export interface MailLocation {
  readonly mount: Mount
  readonly path: string
  readonly format?: string
  /** New mail is moved here from the user's INBOX when a session that may write looks; the mailbox is made when there is none (`#mhinbox`). */
  readonly takesNewMail?: true
}
/** Crosses processes: values only. */
export interface MailUser {
  readonly name: string
  readonly kind: 'account' | 'anonymous'
  readonly ids?: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] }
  readonly home?: string
  readonly facts: Readonly<Record<string, string>>
}

// ---- columns

/** Kinds of private columns; `ref` is for names and large ids. */
export type ColumnData = { u32: Uint32Array; f64: Float64Array; ref: (string | undefined)[] }
/** A column of a driver's own (offsets, file names, remote ids); kept, compacted and cached with the common ones. */
export interface Column<K extends keyof ColumnData> {
  readonly id: string
  readonly kind: K
}
/** Typed handle; the id names it in the cache. */
export function createColumn<K extends keyof ColumnData>(id: string, kind: K): Column<K> {
  return Object.freeze({ id, kind })
}

/** Bits of system flags, as the original's files have them. \Recent is not a flag but a session's. */
export const SYSTEM = { seen: 1, deleted: 2, flagged: 4, answered: 8, draft: 32 } as const
/** One combination of flags, made once per mailbox. */
export interface FlagSet {
  readonly system: number
  readonly keywords: readonly string[]
  /** `\Seen $Label1`, ready for the wire; a FETCH of FLAGS copies it. */
  readonly wire: Uint8Array
}
/**
 * One generation of a mailbox, shared by every session of the process that sees the same messages.
 * Rows are ascending by uid. It grows at its end and never loses a row: an expunge starts the next generation, and a
 * session that has not been told yet keeps the old one. Arrays are longer than `length`, are replaced when they grow, and are read-only outside an edit.
 */
export interface Rows {
  readonly length: number
  readonly uid: Uint32Array
  readonly flags: Uint32Array
  readonly size: Uint32Array
  /** Milliseconds since 1970, with `zone` in minutes east. */
  readonly date: Float64Array
  readonly zone: Int16Array
  readonly modseq: Float64Array
  readonly flagSets: readonly FlagSet[]
  /** Rows whose size or date is not known yet; 0 lets the hot path skip `fill`. */
  readonly gaps: number
  column<K extends keyof ColumnData>(c: Column<K>): ColumnData[K]
  find(uid: number): Row | -1
}
/** Says so while a size or a date costs a read that nobody has asked for. */
export const UNKNOWN = 0xffffffff

/**
 * The only way in which a mailbox changes. A driver never reports: it edits the table that it was handed, and core derives
 * every session's EXISTS, EXPUNGE, FETCH, MODSEQ, VANISHED and event from it. Edits of one mailbox never overlap.
 * When the operation throws, the edit is dropped and the next one starts with `stamp` undefined.
 */
export interface TableEdit {
  readonly rows: Rows
  /** The driver's own mark of the state that the rows describe, also after a restart; undefined: trust nothing. */
  stamp: string | undefined
  uidValidity: number
  uidNext: number
  /** All flags the mailbox defines, for FLAGS and PERMANENTFLAGS. */
  keywords(defined: readonly string[], canCreate: boolean): void
  flagSet(system: number, keywords: readonly string[]): FlagSetId
  add(uid: number, flags: FlagSetId, recent: boolean): Row
  setFlags(row: Row, flags: FlagSetId): void
  /**
   * Whether storage says that nobody has seen the message yet. Recent rows are given to one read-write session by core, which then clears
   * them here itself; a driver says false only when it found that another program took the message.
   */
  setRecent(row: Row, recent: boolean): void
  setSize(row: Row, octets: number): void
  setDate(row: Row, ms: number, zone: number): void
  /** Only a source with mod-sequences of its own calls it; for the others core numbers. */
  setModseq(row: Row, modseq: number): void
  set<K extends keyof ColumnData>(row: Row, column: Column<K>, value: ColumnData[K][number]): void
  /** Takes effect when the operation ends: until then rows keep their numbers, and private columns of what remains may be set. */
  remove(uids: UidSet): void
  /** Flag arithmetic with the `unchangedSince` test, so that no driver repeats it: what must be written, what was refused. */
  apply(change: FlagChange): { readonly changed: UidSet; readonly refused: UidSet }
  /** Those of `among` that bear \Deleted. */
  deleted(among: UidSet): UidSet
  /** A line for every session on the mailbox (`Mailbox vulnerable - ...`): warnings reach clients as untagged NO, the rest as untagged OK. */
  notice(severity: 'information' | 'warning', text: string): void
  /** The store began anew: every session on the mailbox must reselect. */
  reset(uidValidity: number): void
}

// ---- what a message is asked for

/** One property of a message: held by the driver, kept in the cache, or derived from the bytes; core chooses the cheapest. */
export interface Fact<T> {
  readonly id: string
  readonly version: number
  readonly codec: Codec<T>
  readonly [carries]?: (x: T) => T
}
/** `version` rises when the derivation changes; old cache entries are then ignored. */
export function createFact<T>(id: string, version: number, codec: Codec<T>): Fact<T> {
  return Object.freeze({ id, version, codec })
}
/** What a set of facts is asked by; covariant, so that facts of many types stand in one list. */
export interface AnyFact {
  readonly id: string
  readonly version: number
}
/** Contributed by whoever can compute a fact (preview, object ids, a body structure). */
export interface FactDeriver<T> {
  readonly fact: Fact<T>
  readonly reads: 'header' | 'whole' | 'sidecar'
  derive(m: StoredMessage, signal: AbortSignal): Promise<T>
}
/** Hides `T`, so that derivers of many types stand in one list. */
export function sealDeriver<T>(d: FactDeriver<T>): SealedDeriver {
  return d
}
/** A deriver as core keeps it. */
export interface SealedDeriver {
  readonly fact: AnyFact
  readonly [carries]?: never
}

const octets: Codec<Uint8Array> = { encode: (value) => value, decode: (bytes) => bytes }
function json<T>(): Codec<T> {
  return {
    encode: (value) => new TextEncoder().encode(value === undefined ? '' : JSON.stringify(value)),
    // What encode wrote is what decode reads; undefined is the empty string.
    decode: (bytes) => (bytes.length === 0 ? undefined : JSON.parse(new TextDecoder().decode(bytes))) as T,
  }
}
/** ENVELOPE and BODYSTRUCTURE as they go on the wire. */
export const ENVELOPE = createFact<Uint8Array>('envelope', 1, octets)
export const BODYSTRUCTURE = createFact<Uint8Array>('bodystructure', 1, octets)
export const SAVE_DATE = createFact<number>('save-date', 1, json<number>())
export const EMAIL_ID = createFact<string>('email-id', 1, json<string>())
export const THREAD_ID = createFact<string | undefined>('thread-id', 1, json<string | undefined>())

/** A part of a message, for stores that can fetch it alone. */
export interface Section {
  readonly part: readonly number[]
  readonly what: 'all' | 'header' | 'mime' | 'text' | { readonly fields: readonly string[]; readonly not: boolean }
  readonly decoded: boolean
}
/** The union over all items of one FETCH; `bytes` is a hint, not a promise. */
export interface Wants {
  readonly bytes: 'none' | 'header' | 'whole'
  readonly sections: readonly Section[]
  readonly facts: readonly AnyFact[]
}

/**
 * CRLF octets of a message or a section. `inline` spares small ones the await. Each `read` stands alone: between two of them the message may
 * have moved in its file (find it again by uid) or gone (throw `vanished`); no lock outlives a call.
 */
export interface MessageBytes {
  readonly size: number
  readonly inline?: Uint8Array
  read(at: number, into: Uint8Array, signal: AbortSignal): Promise<number>
}
/** Valid until the next batch is pulled. */
export interface StoredMessage {
  readonly uid: number
  readonly headerSize: number
  readonly bytes: MessageBytes
  /** Present when the store can hand out a section without the rest (a remote server, a database). */
  section?(s: Section): MessageBytes | undefined
  fact?<T>(f: Fact<T>): T | undefined
}

// ---- driver side: a mailbox

/** A STORE, without its protocol. */
export interface FlagChange {
  readonly uids: UidSet
  readonly how: 'add' | 'remove' | 'replace'
  readonly system: number
  readonly keywords: readonly string[]
  readonly unchangedSince?: Modseq
}
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
  /** Batches, ascending; a message that is gone is left out. Pulling is the back-pressure. */
  read(uids: UidSet, wants: Wants, rows: Rows, signal: AbortSignal): AsyncIterable<readonly StoredMessage[]>
  close(): Promise<void>
  /** Fills sizes or dates that were UNKNOWN. Required when rows are added with gaps. */
  fill?(uids: UidSet, edit: TableEdit, signal: AbortSignal): Promise<void>
  /**
   * No session of this process sees the removed messages any more: space may be taken back. Only of a source with this ability are
   * removed messages asked for by sessions that lag, with the rows of their generation.
   */
  reclaim?(signal: AbortSignal): Promise<void>
  /** Present where writing flags is dear (text formats): core keeps STOREs in the journal, durable at once, and has `dirty` written here later. */
  checkpoint?(dirty: UidSet, edit: TableEdit, signal: AbortSignal): Promise<void>
  /**
   * Whether another program has the mailbox for itself, so that changes would be refused now; it is asked to give way before. Absent: others
   * never do. Asked before a session that is of no use unless it can write (POP3).
   */
  heldElsewhere?(signal: AbortSignal): Promise<boolean>
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

// ---- searching: an inspectable tree, so that a server, an index or a database can take over any branch

/**
 * `custom` carries what no standard term says; drivers skip it, core tests it. `above` and `below` exclude the number itself.
 * Days are counted from 1 January 1970, as written where the message was dated (no zone conversion); `from` is inclusive, `before` is not.
 * `flag` with several bits or fields wants all of them. FROM, TO, CC and BCC are `in: 'addresses'` with `field` in lower case (written out as
 * `name <box@host>`, joined by commas); SUBJECT and HEADER are `in: { header }`; an empty pattern asks whether the field is there.
 * `pattern` is decoded text; case and character set are the searcher's business.
 */
export type SearchTerm =
  | { readonly kind: 'and' | 'or'; readonly terms: readonly SearchTerm[] }
  | { readonly kind: 'not'; readonly term: SearchTerm }
  | { readonly kind: 'uids'; readonly set: UidSet }
  | { readonly kind: 'flag'; readonly system?: number; readonly keyword?: string; readonly recent?: boolean }
  | { readonly kind: 'size' | 'modseq'; readonly above?: number; readonly below?: number }
  | { readonly kind: 'day'; readonly of: 'internal' | 'sent' | 'saved'; readonly from?: number; readonly before?: number }
  | { readonly kind: 'age'; readonly olderS?: number; readonly youngerS?: number }
  | {
      readonly kind: 'text'
      readonly in: 'body' | 'text' | { readonly header: string } | 'addresses'
      readonly pattern: string
      readonly field?: string
      readonly fuzzy: boolean
    }
  | {
      readonly kind: 'custom'
      readonly key: { readonly name: string }
      readonly args: unknown
      readonly wants: Wants
      matches(m: StoredMessage, row: Row, rows: Rows): boolean | Promise<boolean>
    }
/** A branch it does not take is evaluated by core on the rest. */
export interface SearchAbility {
  /** Whether it can answer the term: exactly, or with too many hits that core then tests. */
  can(term: SearchTerm): 'exact' | 'superset' | undefined
  run(term: SearchTerm, within: UidSet, signal: AbortSignal): Promise<UidSet>
  order?(keys: readonly SortKey[], within: UidSet, signal: AbortSignal): Promise<Uint32Array | undefined>
}
/** RFC 5256 key by name. */
export interface SortKey {
  readonly by: string
  readonly reverse: boolean
}

// ---- driver side: a store

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
/** One message on its way in; `bytes` can be read once. */
export interface AppendItem {
  /** Undefined when it is composed on the way (CATENATE). */
  readonly size: number | undefined
  readonly bytes: AsyncIterable<Uint8Array>
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

/** A delivery in two phases, because octets arrive as slowly as the client sends them. */
export interface Delivery {
  /** May wait for the network, so it holds no lock and no edit: a spool file, `tmp/`, an upload. */
  add(item: AppendItem, signal: AbortSignal): Promise<void>
  /**
   * Takes messages of another mailbox as that mailbox keeps them, instead of `add` for each: within one format octets need not be turned into
   * those of a client and back. False when it cannot do that with these; nothing is taken then. Octets may be read as late as at the commit, which
   * throws `vanished` when they are not there any more; nothing has arrived then.
   */
  take?(from: MailboxSource, messages: readonly TakenMessage[], signal: AbortSignal): Promise<boolean>
  /** All or nothing, durable when it resolves. */
  commit(open: OpenMailbox | undefined, signal: AbortSignal): Promise<AppendResult | undefined>
  abort(): Promise<void>
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
  /** It is an INBOX that is kept elsewhere than where mail is delivered: new mail is moved from there. */
  readonly takesNewMail?: boolean
  /** The file or folder as it was found, for `refresh`. */
  readonly stat?: FileStat
  /** Not called when a source with this key is open. */
  open(signal: AbortSignal): Promise<MailboxSource>
}
/** For formats that have no place of their own for unfinished messages: memory first, then a file of the user's. */
export interface Spool {
  take(item: AppendItem, signal: AbortSignal): Promise<Spooled>
}
/** May be read twice. */
export interface Spooled extends AsyncDisposable {
  readonly size: number
  chunks(): AsyncIterable<Uint8Array>
}
/** Bounded per user and per process. */
export const SPOOL = createToken<Spool>('mail.spool').in('process', ['mail'])

/**
 * Numbers that a new mailbox begins with, instead of its own: it goes on for another (a migration). A storage that has no place for them leaves them out.
 */
export interface GivenNumbers {
  readonly uidValidity?: number
  /** Lower ones are given only to messages that come with them (`AppendItem.uid`). */
  readonly uidNext?: number
}
/** Names and mailboxes of one login in one kind of storage. */
export interface MailStore {
  readonly delimiter: string | undefined
  list(query: ListQuery, signal: AbortSignal): AsyncIterable<readonly MailboxEntry[]>
  find(at: MailLocation, signal: AbortSignal): Promise<FoundMailbox | undefined>
  create(at: MailLocation, how: { readonly specialUse: readonly string[] } & GivenNumbers): Promise<void>
  remove(at: MailLocation): Promise<void>
  rename(from: MailLocation, to: MailLocation): Promise<void>
  append(at: MailLocation, signal: AbortSignal): Promise<Delivery>
  close(): Promise<void>
  /** Many at once; without it core opens and refreshes each. */
  figures?(at: readonly MailLocation[], signal: AbortSignal): AsyncIterable<MailboxFigures>
  watch?(event: (e: MailEvent) => void): Disposable
  readonly sidecars?: Sidecars
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
}
/** Kinds of storage: `files`, `postgres`, `imap`, `news`, `memory`. */
export const mailDrivers = extensionPoint<MailDriver, DriverAbout>('mail.drivers').in({ scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.drivers.stores' })

/** What a look for damage finds in a mailbox, in the order of its file; `at` is the octet where it stands, in a mailbox that is a folder in `file` there. */
export type Examined =
  | { readonly kind: 'damage'; readonly at: number; readonly file?: string; readonly text: string }
  /** A message that can be read, as it can be delivered again; `bytes` are CRLF octets, read once, before the next is asked for; what is wrong with reading them is told next. */
  | ({ readonly kind: 'message'; readonly at: number } & Pick<AppendItem, 'size' | 'bytes' | 'system' | 'keywords' | 'date'>)
/** A mailbox that is being examined, and the format that it is read as. */
export interface Examination {
  readonly format: string
  readonly found: AsyncIterable<Examined>
  /** Whether a name directly below the mailbox is a part of it (`MailboxFormat.owns`), also where damage lets LIST show it; absent: none is. */
  owns?(name: string): boolean
}

/** A file format inside the `files` store, which owns names, LIST, subscriptions, modes and locations for all of them. */
export interface FilePlace {
  readonly path: string
  readonly user: MailUser
  readonly fileMode: number
  readonly directoryMode: number
  /** It is the user's INBOX. */
  readonly isInbox?: boolean
}
/** All a maildir author writes. */
export interface MailboxFormat {
  /** `seen`: what the caller has just found at the place, links followed; a format may spare itself the same question. */
  recognise(at: FilePlace, signal: AbortSignal, seen?: FileStat): Promise<'mine' | 'empty' | 'not-mine'>
  create(at: FilePlace, numbers?: GivenNumbers): Promise<void>
  open(at: FilePlace, signal: AbortSignal): Promise<MailboxSource>
  append(at: FilePlace, signal: AbortSignal): Promise<Delivery>
  /** LIST saw this directory: a mailbox, a part of one, or nothing of ours. No file is opened. */
  claims?(directory: { readonly path: string; readonly names: readonly string[] }): 'mailbox' | 'inside' | undefined
  /** Whether a file of this name, in a folder that it claims as a mailbox, is a part of that; without it all files are. Others may be mailboxes below it. */
  owns?(fileName: string): boolean
  /** Folder of a user's mailboxes of this format, for formats that have a place of their own (`#mh/`); undefined: the user has none. */
  root?(user: MailUser, signal: AbortSignal): Promise<string | undefined>
  /** Its mailboxes are files without a format yet: one that gets content is another mailbox, and who has it open begins anew. */
  readonly placeholder?: true
  /** Takes INBOX over when its place exists (`~/mbox`, `~/INBOX`); list order decides. `delivered`: the file to which mail is delivered. */
  inbox?(user: MailUser, signal: AbortSignal, delivered: string | undefined): Promise<FilePlace | undefined>
  /** Name in a user's home of the INBOX that is made in this format (`#driver.mtx/INBOX`); `INBOX` without it. `inbox` must find it there, also when it is empty. */
  readonly inboxName?: string
  remove?(at: FilePlace): Promise<void>
  rename?(from: FilePlace, to: FilePlace): Promise<void>
  /**
   * Everything that can be read of a file or folder in whatever state, also of one that `recognise` does not take, and everything that is wrong
   * with it: damage never ends it, and neither does a place of the disk that cannot be read. Nothing is found in what could not be a mailbox of the
   * format, a folder where those are files. Nothing is written (`mailwright fsck`).
   */
  examine?(at: FilePlace, signal: AbortSignal): AsyncIterable<Examined>
}
/** List order is probing order. */
export const mailboxFormats = extensionPoint<MailboxFormat, DriverAbout>('mail.formats').in({ scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.drivers.use' })

// ---- data that a store cannot hold, and data that may be lost

/**
 * Durable small records beside a mailbox or an account (ACL, METADATA, object ids): follow a rename, go with a delete. The journal of edits
 * (mod-sequences, vanished uids, flags not yet folded in) is core's and lies beside them; nobody asks for it, because every change is an edit.
 */
export interface Sidecar {
  get<T>(r: SidecarKind<T>, key: string): Promise<T | undefined>
  put<T>(r: SidecarKind<T>, key: string, value: T | undefined): Promise<void>
  each<T>(r: SidecarKind<T>): AsyncIterable<readonly (readonly [string, T])[]>
}
/** Named by its owner; two plugins never meet. */
export interface SidecarKind<T> {
  readonly id: string
  readonly codec: Codec<T>
}
/** Of one login. */
export interface Sidecars {
  of(at: MailLocation): Sidecar
  account(user: MailUser): Sidecar
  /** Records go with the mailbox and with all below it; core waits for it after RENAME. A store with sidecars of its own may see to that in `rename`. */
  renamed?(from: MailLocation, to: MailLocation): Promise<void>
  /** The mailbox is gone, or was made just now: nothing of an older one of this name remains. Those below keep theirs. */
  removed?(at: MailLocation): Promise<void>
}
/** Files, a database; where the store has none of its own. */
export interface SidecarBackend {
  open(user: MailUser): Promise<Sidecars>
}
/** One per host, so that all durable extras are in one place to back up. */
export const sidecarBackends = extensionPoint<SidecarBackend, { readonly manyProcesses: boolean }>('mail.sidecars').in({ scope: 'host', pick: 'one', roles: ['mail'], slot: 'hosts.*.sidecars' })

/** Losing it costs time, never mail. Core keeps rows and facts in it under the source's stamp; plugins seldom need it. */
export interface MailboxCache {
  rows(key: string): Promise<Uint8Array | undefined>
  facts(key: string, f: AnyFact): Promise<FactCache>
}
/** Synchronous: a segment is loaded once, then a hit is a slice. */
export interface FactCache {
  get(uid: number): Uint8Array | undefined
  put(uid: number, value: Uint8Array): void
  flush(): Promise<void>
}
/** May be asked for; core already uses it. */
export const MAILBOX_CACHE = createToken<MailboxCache>('mail.cache').in('process', ['mail'])

// ---- layers and events

/** Wraps a store; sees every operation on it. `delegate` forwards the required members and the abilities named, never an unknown one. */
export interface StoreLayer {
  wrap(inner: MailStore, user: MailUser): Promise<MailStore>
}
/** Outermost first. */
export const storeLayers = extensionPoint<StoreLayer>('mail.layers').in({ scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.layers' })
type OptionalKeys<T> = { [K in keyof T]-?: Record<never, never> extends { [P in K]: T[P] } ? K : never }[keyof T]
/** Names of the optional members. */
export type Abilities<T> = Exclude<OptionalKeys<T>, undefined>
/** An ability that a layer does not name falls back to core's general way, which the layer sees: safe for abilities invented later. */
export function delegate<T extends MailStore | MailboxSource | MailboxFormat>(
  inner: T,
  keep: readonly Abilities<T>[],
  change: { readonly [K in keyof T]?: T[K] },
): T {
  const outer: Record<PropertyKey, unknown> = {}
  // Members are forwarded by name; the three contracts are interfaces of methods and values.
  const given = inner as unknown as Record<PropertyKey, unknown>
  const forward = (key: PropertyKey): void => {
    const value = given[key]
    if (typeof value === 'function') outer[key] = (...args: unknown[]) => (value as (...a: unknown[]) => unknown).apply(inner, args)
    else if (value !== undefined) Object.defineProperty(outer, key, { get: () => given[key], enumerable: true, configurable: true })
  }
  for (const key of REQUIRED_MEMBERS) if (key in given) forward(key)
  for (const key of keep) forward(key as PropertyKey)
  for (const key of Reflect.ownKeys(change)) {
    const value = (change as Record<PropertyKey, unknown>)[key]
    Object.defineProperty(outer, key, { value, enumerable: true, configurable: true, writable: true })
  }
  // The required members of T are forwarded or changed, and abilities are optional.
  return outer as T
}
/** The required members of the three contracts that can be wrapped; all else is an ability. */
const REQUIRED_MEMBERS = [
  'delimiter', 'list', 'find', 'create', 'remove', 'rename', 'append', 'close',
  'traits', 'refresh', 'store', 'expunge', 'read',
  'recognise', 'open',
] as const


/** Places and uids, never content. */
export type MailEvent = { readonly at: MailLocation } & (
  | { readonly kind: 'arrived' | 'removed' | 'flags'; readonly uids: UidSet }
  | { readonly kind: 'created' | 'deleted' | 'subscribed' | 'unsubscribed' | 'metadata' | 'rights' }
  | { readonly kind: 'renamed'; readonly from: MailLocation }
)
/** Every change made here or noticed here; other processes of the host are heard through the bus. */
export interface MailEvents {
  on(handler: (e: MailEvent) => void): Disposable
  emit(e: MailEvent): void
}
/** NOTIFY, indexers, push, quota listen here. */
export const MAIL_EVENTS = createToken<MailEvents>('mail.events').in('host', ['mail'])

/** The closed list from which each daemon has one table to wire text. */
export type MailProblem =
  | 'not-found'
  | 'exists'
  | 'read-only'
  | 'denied'
  | 'over-quota'
  | 'in-use'
  | 'limit'
  | 'corrupt'
  | 'unavailable'
  | 'unsupported'
  | 'cancelled'
  | 'vanished'
/** Thrown by everything below the daemons. */
export class MailError extends Error {
  override readonly name = 'MailError'
  readonly kind: MailProblem
  constructor(kind: MailProblem, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.kind = kind
  }
}

// ---- names, rights

/** A row of the name table; `root` is what the guard holds a location to. */
export interface Mount {
  readonly prefix: string
  readonly class: 'personal' | 'others' | 'shared'
  readonly store: string
  readonly root: string
  readonly formats?: readonly string[]
  readonly createFormat?: string
  readonly fileMode?: number
  readonly directoryMode?: number
  readonly advertised: boolean
  readonly listed: boolean
  readonly readOnly?: boolean
  /** Where INBOX of this personal mount is kept when no format takes it over: an absolute path, which may lie outside `root` (a spool). */
  readonly inbox?: string
}
/** Some names exist for some commands only (`#driver.mbx/`). */
export type Purpose = 'open' | 'examine' | 'status' | 'list' | 'create' | 'append' | 'remove' | 'rename' | 'subscribe' | 'rights'
/** `of-user` lets core look the account up (that waits) and start again as if that user had asked. */
export type Resolution =
  | { readonly kind: 'at'; readonly location: MailLocation }
  | { readonly kind: 'inbox'; readonly format?: string }
  | { readonly kind: 'of-user'; readonly user: string; readonly name: MailboxName }
  | { readonly kind: 'referral'; readonly url: string }
  | { readonly kind: 'denied'; readonly why: string }
  | { readonly kind: 'unknown' }
/** A name, why it is asked for, and by whom. */
export interface NameQuestion {
  readonly name: MailboxName
  readonly purpose: Purpose
  readonly user: MailUser
}
/**
 * Pure and synchronous; `mounts` gives NAMESPACE, LIST and the way back from place to name, `resolve` the exceptions. `keeps` and `review`
 * restrict what the others say; every resolver is asked them, wherever in the list it stands.
 */
export interface NamespaceResolver {
  /** Reads what `mounts` has to know of a user (a profile, accounts); waited for before the mounts of a login or of another user are first asked for. */
  learn?(user: MailUser, signal: AbortSignal): Promise<void>
  mounts?(user: MailUser): readonly Mount[]
  resolve?(ask: NameQuestion, next: (name: MailboxName) => Resolution): Resolution
  /** Whether the user has this mount, of whichever resolver; a mount that one does not keep is neither listed nor advertised nor reached. */
  keeps?(mount: Mount, user: MailUser): boolean
  /** The answer of the chain, to be passed on or refused. */
  review?(ask: NameQuestion, answer: Resolution): Resolution
}
/** List order is the chain. */
export const namespaceResolvers = extensionPoint<NamespaceResolver>('mail.namespaces').in({ scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.namespaces' })

/** RFC 4314 letters. */
export type Rights = string & { readonly [unit]: 'rights' }
/** Limits of what a user may do to a mailbox; all policies must agree. Core asks once per located mailbox and per reservation. */
export interface MailPolicy {
  rights?(at: MailLocation, user: MailUser, side: Sidecar, signal: AbortSignal): Promise<Rights | undefined>
  /** Before octets are accepted; `settle` says what really arrived. Throws over-quota. */
  reserve?(
    at: MailLocation,
    user: MailUser,
    octets: number | undefined,
    messages: number,
    signal: AbortSignal,
  ): Promise<{ settle(octets: number, messages: number): void }>
}
/** ACL, quota, read-only, append limits. */
export const mailPolicies = extensionPoint<MailPolicy>('mail.policies').in({ scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.policies' })
/** Tells mailbox existence changes of subscriptions apart from the stores. */
export interface SubscriptionStore {
  list(user: MailUser): Promise<readonly MailboxName[]>
  set(user: MailUser, name: MailboxName, on: boolean): Promise<void>
}
/** `.mailboxlist`, newsrc, a database. */
export const subscriptions = extensionPoint<SubscriptionStore>('mail.subscriptions').in({ scope: 'host', pick: 'one', roles: ['mail'], slot: 'hosts.*.subscriptions' })
export const factDerivers = extensionPoint<SealedDeriver>('mail.facts').in({ scope: 'host', pick: 'all', roles: ['mail'], slot: 'hosts.*.facts' })
export interface SearchIndex {
  of(at: MailLocation, user: MailUser): Promise<SearchAbility | undefined>
}
/** A full-text index in front of any driver. */
export const searchIndexes = extensionPoint<SearchIndex>('mail.indexes').in({ scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.indexes' })
