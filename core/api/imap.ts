import { extensionPoint } from './kernel.js'
import type { LayerSpec, LoginGate, PeerFacts } from './auth.js'
import type { ClientFacts } from './protocol.js'
import type { AppendItem, ArrivingOctets } from './mail/delivery.js'
import type { MailEvent } from './mail/events.js'
import type { AnyFact, StoredMessage, Wants } from './mail/message.js'
import type { MailboxName } from './mail/names.js'
import type { Modseq } from './mail/numbers.js'
import type { MessageValue, SearchTerm, SortKey } from './mail/search.js'
import type { DriverAbout, MailboxFigures } from './mail/store.js'
import type { Rows } from './mail/table.js'
import type { UidSet } from './mail/uid-set.js'
import type { ListEntry, Located, MailAccess, MailboxView, RowSet, SequenceSet, SlotHolder, Threading, ViewChanges } from './session.js'
import type { Tweaks } from './workaround.js'

declare const carries: unique symbol
/** RFC 9051 §3. */
export type ImapState = 'not-authenticated' | 'authenticated' | 'selected'

/** Reads the arguments of one buffered command; throws SyntaxFailure. */
export interface ImapCursor {
  readonly mode: CodecMode
  space(): void
  atEnd(): boolean
  end(): void
  peek(): number
  /** Consumes the octet when it stands here. */
  take(octet: number): boolean
  atom(): string
  /** The octets are the caller's own. */
  astring(): Uint8Array
  /** Quoted or literal. */
  string(): Uint8Array
  /** Undefined for NIL. */
  nstring(): Uint8Array | undefined
  mailbox(): MailboxName
  number(): number
  /** Digits of any length (mod-sequences); what exceeds 2^53-1 is 2^53-1. */
  largeNumber(): number
  set(): SequenceSet
  tryWord(word: string): boolean
  list<T>(one: (c: ImapCursor) => T): readonly T[]
  /** Throws the SyntaxFailure of this position. */
  fail(expected: string): never
}
/** Read by cursor and writer; nothing else looks at it. */
export interface CodecMode {
  readonly utf8: boolean
  readonly rev2: boolean
}

/** Writes into the turn's buffer; no call allocates per message. Text is escaped, never trusted. */
export interface ImapWriter {
  raw(text: string): ImapWriter
  bytes(b: Uint8Array): ImapWriter
  number(n: number): ImapWriter
  atom(a: string): ImapWriter
  string(s: Uint8Array): ImapWriter
  mailbox(name: MailboxName): ImapWriter
  set(s: UidSet): ImapWriter
  /** Head, then the octets as they come, pulled no faster than the client reads. */
  literal(
    m: { readonly size: number; readonly inline?: Uint8Array; read(at: number, into: Uint8Array, s: AbortSignal): Promise<number> },
    signal: AbortSignal,
    kind: 'text' | 'binary',
  ): Promise<void> | undefined
  endLine(): void
  /** Undefined while the client keeps up; otherwise to be awaited before more is written. Asked once per batch of lines. */
  room(): Promise<void> | undefined
  /** Hands over what was written. Core does so before it waits for the client and after each command; only what writes while it waits for something else calls it. */
  flush(): void
}

/** How this session is told things. Data, so that extensions combine: each ENABLE sets its own field. */
export interface ReplyShape {
  readonly expunge: 'numbers' | 'vanished'
  readonly address: 'numbers' | 'uids'
  /** Items added to every unasked FETCH about a flag change (MODSEQ, UID), and to the answer of STORE, also of STORE .SILENT. */
  readonly changeItems: readonly SealedFetchItem[]
  /** Items sent with a new message (NOTIFY); empty: EXISTS alone. */
  readonly arrivalItems: readonly SealedFetchItem[]
  /** No word of flag changes or arrivals (NOTIFY NONE). */
  readonly quiet: boolean
}
/** The only place where numbering changes. */
export interface Updates {
  /** Called while flushing, before anything is written; a live search adds its lines here. */
  listen(hear: (c: ViewChanges, view: MailboxView, out: ImapWriter) => void | Promise<void>, until: 'unselect' | 'logout'): Disposable
  /** Resolves when there may be something to tell (a watch, an event, a listener's wake). */
  changed(signal: AbortSignal): Promise<void>
  wake(): void
  /** Afterwards everything that was written, also before the call, is on its way to the client. */
  flush(may: { readonly expunge: boolean }): Promise<void>
}

/** Reference and pattern of a command that lists, as they were read. */
export interface Listing {
  /**
   * Writes `* LIST` lines as LIST does (RFC 3501 §7.2.2), of those entries of each batch that `narrow` gives back, and refuses what LIST refuses;
   * `command` stands in the text of refusals.
   */
  answer(session: MailSession, command: string, narrow: (batch: readonly ListEntry[]) => Promise<readonly ListEntry[]>): Promise<ImapCompletion>
}

/** A search that was read, with what its keys do to the command. */
export interface SearchCriteria {
  /** Asked once, when the command runs. */
  plan(uid: boolean): SearchPlan
}

/** What this session's extensions offer inside commands, for commands that read items or search keys of others. Names have no case. */
export interface ImapGrammar {
  /** Whether an extension, by its name in the configuration, is there for this session. */
  has(extension: string): boolean
  /** What ENABLE may switch on, by upper-case name. */
  readonly enable: ReadonlyMap<string, { on(session: MailSession): void | Promise<void> }>
  /** One FETCH item with its arguments, ready for a plan or a shape. */
  fetchItem(input: ImapCursor): SealedFetchItem
  /** Criteria that SORT may name. */
  readonly sortKeys: ReadonlyMap<string, MessageValue>
  /** Algorithms that THREAD may name. */
  readonly threadings: ReadonlyMap<string, Threading>
  /**
   * Character set and search keys, the rest of SORT, THREAD and their like (RFC 5256 §5 "search-criteria"). A character set that is not known
   * is refused with BADCHARSET.
   */
  searchCriteria(input: ImapCursor, session: SessionIn<'selected'>): SearchCriteria
  /** Reference and pattern of LIST (RFC 3501 §6.3.8), up to what stands behind the pattern. */
  listing(input: ImapCursor): Listing
}

/** Everything a command has. No socket, no container, no driver. */
export interface ImapSession extends SlotHolder {
  readonly grammar: ImapGrammar
  readonly state: ImapState
  readonly peer: PeerFacts
  readonly client: ClientFacts
  readonly tweaks: Tweaks
  readonly signal: AbortSignal
  readonly gate: LoginGate
  readonly mail: MailAccess | undefined
  readonly selected: MailboxView | undefined
  readonly updates: Updates
  readonly out: ImapWriter
  readonly enabled: ReadonlySet<string>
  mode: CodecMode
  shape: ReplyShape
  /**
   * A continuation and the line that answers it; meanwhile untagged lines may be written and flushed. A longer line than `most` octets is a
   * SyntaxFailure. Without `withinMs` the client has the time of other continuations; with Infinity the command watches the time itself.
   */
  ask(prompt: Uint8Array, how?: { readonly most?: number; readonly withinMs?: number }): Promise<Uint8Array>
  select(view: MailboxView | undefined): Promise<void>
  learn(client: Partial<ClientFacts>): void
  /** Notes in `enabled` what ENABLE, or a command that implies it, switched on. */
  markEnabled(name: string): void
}
/** The session as a command of these states may see it: `selected` is a view only where the command cannot run without one. */
export type SessionIn<S extends ImapState> = ImapSession &
  ('not-authenticated' extends S ? unknown : { readonly mail: MailAccess }) &
  ([S] extends ['selected'] ? { readonly selected: MailboxView } : unknown)
/** After the login. */
export type MailSession = SessionIn<'authenticated' | 'selected'>
/** The tagged line; whatever changes the link happens after it has left. */
export type ImapCompletion = { readonly kind: 'ok' | 'no' | 'bad'; readonly code?: ResponseCode; readonly text?: string; readonly after?: After }
/** Layers begin exactly after the tagged line has left. */
export type After = { readonly wrap: LayerSpec | { readonly use: 'tls' } } | { readonly login: LayerSpec | undefined } | 'logout' | 'unauthenticate'
/** Without brackets. */
export interface ResponseCode {
  readonly name: string
  readonly write?: (w: ImapWriter) => void
}

// ---- commands

/** Parsing is over before anything is awaited; `R` is hidden by `sealCommand`. */
export interface ImapCommand<R, S extends ImapState> {
  readonly name: string
  readonly states: readonly S[]
  readonly uidForm: 'no' | 'also' | 'only'
  readonly mayReportExpunge: boolean
  readonly replaces?: string
  /** Synchronous. The session is there for its grammar, and for what a sequence number means now. */
  parse(input: ImapCursor, uid: boolean, session: SessionIn<S>): R
  run(request: R, session: SessionIn<S>): Promise<ImapCompletion>
}
/** A command whose literals are too large to hold: `parse` reads up to a literal, takes its octets, reads on. */
export interface StreamingCommand<R, S extends ImapState> extends Omit<ImapCommand<R, S>, 'parse'> {
  receive(input: StreamCursor, uid: boolean, session: SessionIn<S>): Promise<R>
}
/** Command text between literals, then the literal's octets. */
export interface StreamCursor {
  next(): Promise<ImapCursor>
  literal(): { readonly size: number; readonly binary: boolean; readonly bytes: ArrivingOctets } | undefined
}
/** As the command table keeps it. */
export interface SealedCommand {
  readonly name: string
  readonly states: readonly ImapState[]
  readonly [carries]?: never
}
/** Hides `R` and `S`. */
export function sealCommand<R, const S extends ImapState>(c: ImapCommand<R, S>): SealedCommand {
  return c
}
/** The same for streams. */
export function sealStreamingCommand<R, const S extends ImapState>(c: StreamingCommand<R, S>): SealedCommand {
  return c
}

// ---- what extensions add inside commands: a named argument that edits a plan (the grammar of RFC 4466)

/** The whole of what CONDSTORE, QRESYNC, ESEARCH, LIST options and CREATE USE need. */
export interface Modifier<Plan, A> {
  readonly name: string
  parse(input: ImapCursor): A
  apply(args: A, plan: Plan, session: MailSession): void | Promise<void>
}
/** Tied to its command by `Plan`: a FETCH modifier in `select` does not compile. */
export interface SealedModifier<Plan> {
  readonly name: string
  readonly [carries]?: (p: Plan) => void
}
/** Hides `A`. */
export function sealModifier<Plan, A>(m: Modifier<Plan, A>): SealedModifier<Plan> {
  return m
}

/** `opened` runs after the rows are true, before the tagged line. */
export interface SelectPlan {
  readonly name: MailboxName
  codes: ResponseCode[]
  opened: ((view: MailboxView, out: ImapWriter, session: MailSession) => Promise<void>)[]
}
/** `keep` filters on columns; nothing is read for rows it drops. */
export interface FetchPlan {
  readonly view: MailboxView
  rows: RowSet
  readonly items: SealedFetchItem[]
  before: ((out: ImapWriter) => Promise<void>)[]
  keep?: (row: number, rows: Rows) => boolean
  codes: ResponseCode[]
}
/** `codes` run when it is known what was refused. */
export interface StorePlan {
  readonly view: MailboxView
  /** UID STORE: codes name uids, not sequence numbers. */
  readonly uid: boolean
  unchangedSince?: Modseq
  readonly answerItems: SealedFetchItem[]
  codes: ((refused: UidSet) => ResponseCode | undefined)[]
}
/** `term` may be replaced before it runs. */
export interface SearchPlan {
  readonly view: MailboxView
  term: SearchTerm
  order?: readonly SortKey[]
  readonly tag: string
  readonly uid: boolean
  /** The result is an ESEARCH line; else SEARCH or SORT. */
  readonly extended: boolean
  /** Rewrites or replaces the result; what writes itself at the end of the line of the result goes to `write`. */
  result: ((found: Found) => void | Promise<void>)[]
  write: ((found: Found, out: ImapWriter) => void)[]
}
/** `sorted` for SORT: uids in order. */
export interface Found {
  readonly uids: UidSet
  readonly sorted?: Uint32Array
}
/** RFC 6154 §3. */
export interface CreatePlan {
  readonly name: MailboxName
  specialUse: string[]
  created: ((at: Located) => Promise<void>)[]
}
/** Options of one message. */
export interface AppendPlan {
  item: { -readonly [K in keyof AppendItem]: AppendItem[K] }
}
/** Works on batches, so that STATUS or MYRIGHTS of 500 mailboxes is not 500 questions. */
export interface ListPlan {
  select: ((e: ListEntry) => boolean)[]
  decorate: ((batch: readonly ListEntry[]) => Promise<void>)[]
  after: ((batch: readonly ListEntry[], out: ImapWriter) => Promise<void>)[]
  extended: ((e: ListEntry, out: ImapWriter) => void)[]
}

/** Either columns or a message, decided before anything is read. */
export interface FetchItem<A> {
  readonly name: string
  parse(input: ImapCursor, name: string): A
  /** Whether the columns suffice: then `column` is called, synchronously, and no message is read. */
  needs(args: A): 'columns' | Wants
  column?(args: A, row: number, rows: Rows, out: ImapWriter, view: MailboxView): void
  write?(args: A, m: StoredMessage, row: number, out: ImapWriter, session: MailSession): void | Promise<void>
  readonly setsSeen?: (args: A) => boolean
  /** Reads size or date: rows with gaps are filled before `column` is called. */
  readonly fills?: boolean
  /** A command of the client names it (not a shape or a modifier); before anything is written. */
  asked?(args: A, session: MailSession): void
}
/** As a plan keeps it. */
export interface SealedFetchItem {
  readonly name: string
  readonly [carries]?: never
}
/** Hides `A`. */
export function sealFetchItem<A>(i: FetchItem<A>): SealedFetchItem {
  return i
}
/** Without arguments: ready to be added to a plan or a shape. */
export function fetchItem(i: FetchItem<undefined>): SealedFetchItem {
  return i
}
/** Most keys become a standard term, which drivers and indexes understand; only the rest is a `custom` one. */
export interface SearchKey {
  readonly name: string
  parse(input: ImapCursor, nested: () => SearchTerm, session: MailSession): SearchTerm
  /** The program names it: edits the plan, once per command, before the search runs. */
  plan?(plan: SearchPlan, session: MailSession): void
}
/** From the figures, or from the sidecar. */
export interface StatusItem {
  readonly name: string
  readonly from: 'figures' | 'sidecar'
  value(f: MailboxFigures, at: Located, mail: MailAccess): string | Promise<string>
  /** A command names it; before anything is written. */
  asked?(session: MailSession): void
}
/** Where an APPEND takes octets from besides a literal (CATENATE, a URL). */
export interface AppendSource {
  readonly name: string
  receive(input: StreamCursor, session: MailSession): Promise<Pick<AppendItem, 'size' | 'bytes' | 'binary'>>
}
/** STORE of something that is no flag (annotations, labels). */
export interface StoreTarget<A> {
  readonly name: string
  parse(input: ImapCursor): A
  run(args: A, rows: RowSet, plan: StorePlan, session: MailSession): Promise<UidSet>
}
/** As the table keeps it. */
export interface SealedStoreTarget {
  readonly name: string
  readonly [carries]?: never
}
/** Hides `A`. */
export function sealStoreTarget<A>(t: StoreTarget<A>): SealedStoreTarget {
  return t
}

// ---- one extension: everything that is there, or not there, together

/** `emulated` lets core stand in; `explain` prints the price. */
export type Requirement =
  | { readonly driver: Partial<DriverAbout>; readonly or: 'emulated' | 'off' }
  | { readonly sidecars: true }
  | { readonly extension: string }
  | { readonly layer: string }
/** All that a capability may depend on. */
export interface CapabilityView {
  readonly state: ImapState
  readonly encrypted: boolean
  readonly peer: PeerFacts
  readonly client: ClientFacts
  readonly user: { readonly anonymous: boolean } | undefined
  readonly mechanisms: readonly string[]
  readonly fact: (f: AnyFact) => boolean
}
/** The half of an extension that exists in every process. */
export interface ImapExtensionAbout {
  /** Off, with the reason in `explain`, when one is not met: no capability, no command, no item. */
  readonly requires: readonly Requirement[]
  /** A function of values, so that `front` lists what `mail` will serve without creating it. */
  capabilities(v: CapabilityView): readonly string[]
}
/** One contribution = one name in the config = one unit to switch. */
export interface ImapExtension {
  readonly commands?: readonly SealedCommand[]
  readonly enable?: { readonly name: string; on(session: MailSession): void | Promise<void> }
  readonly select?: readonly SealedModifier<SelectPlan>[]
  readonly fetch?: readonly SealedModifier<FetchPlan>[]
  readonly fetchItems?: readonly SealedFetchItem[]
  readonly store?: readonly SealedModifier<StorePlan>[]
  readonly storeTargets?: readonly SealedStoreTarget[]
  readonly append?: readonly SealedModifier<AppendPlan>[]
  readonly appendSources?: readonly AppendSource[]
  readonly create?: readonly SealedModifier<CreatePlan>[]
  readonly searchKeys?: readonly SearchKey[]
  readonly searchReturns?: readonly SealedModifier<SearchPlan>[]
  /** Criteria of SORT, which the extension `sort` brings. */
  readonly sortKeys?: readonly MessageValue[]
  /** Algorithms of THREAD, which the extension `thread` brings; the capability `THREAD=NAME` is the contributor's. */
  readonly threadings?: readonly Threading[]
  readonly statusItems?: readonly StatusItem[]
  readonly listSelections?: readonly SealedModifier<ListPlan>[]
  readonly listReturns?: readonly SealedModifier<ListPlan>[]
  /** After the rows are true and before SELECT answers, for every SELECT (a mailbox id, a mod-sequence line). */
  selected?(view: MailboxView, out: ImapWriter, session: MailSession): void | Promise<void>
  /** Adds codes to a tagged line that this extension did not produce. */
  completing?(command: string, done: ImapCompletion, session: ImapSession): ImapCompletion
  /** Mailboxes that are not selected. */
  heard?(e: MailEvent, session: MailSession): void
}
/** All that are loaded, less `imap.without`; the base commands are one too, and cannot be left out. */
export const imapExtensions = extensionPoint<ImapExtension, ImapExtensionAbout>('imap.extensions').in({ scope: 'host', pick: 'all', roles: ['front', 'mail'], slot: 'hosts.*.imap.extensions' })
