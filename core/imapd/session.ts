import { SyntaxFailure } from '../api/index.js'
import type {
  ClientFacts,
  CodecMode,
  DriverAbout,
  ImapSession,
  ImapState,
  LoginGate,
  MailAccess,
  MailSession,
  MailboxView,
  PeerFacts,
  ReplyShape,
  SessionHops,
  Slot,
  Tweaks,
} from '../api/index.js'
import { learned } from '../session/client-facts.js'
import type { Dialect } from '../session/dialects.js'
import type { ClientProfile } from '../session/client-profile.js'
import type { SlotTable } from '../session/slots.js'
import { LIMITS } from '../wire/limits.js'
import type { OctetWriter } from '../wire/imap/writer.js'
import type { Grammar } from './extensions/grammar.js'
import type { SessionUpdates } from './updates.js'

/** How a session is told things before an extension changed it. */
const PLAIN_SHAPE: ReplyShape = { expunge: 'numbers', address: 'numbers', changeItems: [], arrivalItems: [], quiet: false }

/** What of the host commands tell. */
export interface SessionHost {
  /** For goodbyes. */
  readonly serverName: string
  readonly dialect: Dialect
  /** Of the host's stores and formats: what capabilities may ask. */
  readonly drivers: readonly DriverAbout[]
}
/** What a session is made of; each part has its own life. */
export interface SessionParts {
  readonly host: SessionHost
  readonly peer: PeerFacts
  readonly client: ClientFacts
  readonly gate: LoginGate
  readonly mail: MailAccess | undefined
  readonly signal: AbortSignal
  readonly out: OctetWriter
  readonly slots: SlotTable
  readonly updates: SessionUpdates
  readonly line: (limit: number, withinMs: number | undefined) => Promise<Uint8Array | undefined>
  /** What the workarounds make of a client: asked at the beginning and once more after ID. */
  readonly profile: (client: ClientFacts) => { readonly profile: ClientProfile; readonly grammar: Grammar }
  /** Who watches the session. */
  readonly hops: SessionHops | undefined
  /** The profile has changed: what depends on it beyond the session follows. */
  readonly tune: () => void
}

/** The session as commands see it: values and the parts that carry them. */
export class LiveSession implements ImapSession {
  state: ImapState
  peer: PeerFacts
  client: ClientFacts
  grammar: Grammar
  profile: ClientProfile
  selected: MailboxView | undefined
  shape: ReplyShape = PLAIN_SHAPE
  readonly host: SessionHost
  readonly gate: LoginGate
  readonly mail: MailAccess | undefined
  readonly signal: AbortSignal
  readonly out: OctetWriter
  readonly updates: SessionUpdates
  readonly hops: SessionHops | undefined
  readonly enabled = new Set<string>()
  readonly #parts: SessionParts
  /** The tag of the command that runs; SEARCH needs it (RFC 4466 §2.6.2). */
  tag = ''

  constructor(parts: SessionParts) {
    this.#parts = parts
    this.host = parts.host
    this.peer = parts.peer
    this.client = parts.client
    this.gate = parts.gate
    this.mail = parts.mail
    this.signal = parts.signal
    this.out = parts.out
    this.updates = parts.updates
    this.hops = parts.hops
    this.state = parts.mail === undefined ? 'not-authenticated' : 'authenticated'
    const { profile, grammar } = parts.profile(parts.client)
    this.profile = profile
    this.grammar = grammar
    this.#treatText()
  }

  get tweaks(): Tweaks {
    return this.profile.tweaks
  }
  get mode(): CodecMode {
    return this.out.options.mode
  }
  set mode(mode: CodecMode) {
    this.out.options.mode = mode
  }
  /** The same session, once somebody is logged in. */
  get inside(): MailSession {
    // A login makes a session of its own, with `mail` from the first command on.
    if (this.mail === undefined) throw new Error('nobody is logged in')
    return this as MailSession
  }

  async ask(prompt: Uint8Array, how: { readonly most?: number; readonly withinMs?: number } = {}): Promise<Uint8Array> {
    const most = how.most ?? LIMITS.saslLine
    this.out.raw('+ ').bytes(prompt).endLine()
    const line = await this.#parts.line(most, how.withinMs)
    if (line === undefined) throw new SyntaxFailure(most, 'a shorter line')
    return line
  }
  /** The mailbox selected before is closed without expunge (RFC 3501 §6.3.1), also when the new one cannot be opened. */
  async select(view: MailboxView | undefined): Promise<void> {
    const before = this.selected
    this.selected = view
    if (this.mail !== undefined) this.state = view === undefined ? 'authenticated' : 'selected'
    if (before !== undefined) this.#parts.slots.drop('unselect')
    this.updates.follow(view)
    if (before !== undefined && before !== view) await before.close(this.signal)
  }
  learn(client: Partial<ClientFacts>): void {
    this.client = learned(this.client, client)
    this.hops?.client(this.client)
    if (client.id === undefined) return
    const { profile, grammar } = this.#parts.profile(this.client)
    this.profile = profile
    this.grammar = grammar
    this.#treatText()
    this.#parts.tune()
  }
  markEnabled(name: string): void {
    this.enabled.add(name.toUpperCase())
  }
  slot<T>(s: Slot<T>): T {
    return this.#parts.slots.get(s)
  }
  setSlot<T>(s: Slot<T>, value: T): void {
    this.#parts.slots.set(s, value)
  }

  #treatText(): void {
    this.out.options.text = this.profile.text
    this.out.options.nulToEighty = this.profile.tweaks.nulToEighty
  }
}

