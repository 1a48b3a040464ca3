import type { ClientFacts, LoginGate, LoginOutcome, MailAccess, PeerFacts, Pop3Completion, Pop3Session, Pop3Settings, Pop3State, Pop3Way, Slot, Tweaks } from '../api/index.js'
import type { ClientProfile } from '../session/client-profile.js'
import type { SessionLog } from '../session/session-log.js'
import type { SlotTable } from '../session/slots.js'
import type { Pop3Tables } from './extensions.js'
import { Refused } from './failure.js'
import type { LineInput } from './input.js'
import { loginAnswer } from './login-answer.js'
import type { MarkedMaildrop } from './maildrop.js'
import type { ReplyWriter } from './writer.js'

/** What a session is made of; each part has its own life. */
export interface SessionParts {
  readonly peer: PeerFacts
  readonly client: ClientFacts
  readonly profile: ClientProfile
  readonly gate: LoginGate
  readonly settings: Pop3Settings
  readonly serverName: string
  readonly mail: MailAccess | undefined
  readonly signal: AbortSignal
  readonly out: ReplyWriter
  readonly input: LineInput
  readonly log: SessionLog
  readonly slots: SlotTable
  readonly tables: Pop3Tables
}

/** The session as commands see it: values and the parts that carry them. */
export class LiveSession implements Pop3Session {
  peer: PeerFacts
  client: ClientFacts
  drop: MarkedMaildrop | undefined
  /** Lets others have the maildrop; once it was called nothing is read or changed here any more. */
  leave: () => Promise<void> = () => Promise.resolve()
  /** Name that USER gave, until PASS or another login. */
  named: string | undefined
  readonly #parts: SessionParts

  constructor(parts: SessionParts) {
    this.#parts = parts
    this.peer = parts.peer
    this.client = parts.client
  }

  get state(): Pop3State {
    return this.drop === undefined ? 'authorization' : 'transaction'
  }
  get gate(): LoginGate {
    return this.#parts.gate
  }
  get settings(): Pop3Settings {
    return this.#parts.settings
  }
  get serverName(): string {
    return this.#parts.serverName
  }
  get mail(): MailAccess | undefined {
    return this.#parts.mail
  }
  get signal(): AbortSignal {
    return this.#parts.signal
  }
  get out(): ReplyWriter {
    return this.#parts.out
  }
  get log(): SessionLog {
    return this.#parts.log
  }
  get tables(): Pop3Tables {
    return this.#parts.tables
  }
  get extensions(): ReadonlySet<string> {
    return this.tables.names
  }
  get profile(): ClientProfile {
    return this.#parts.profile
  }
  get tweaks(): Tweaks {
    return this.profile.tweaks
  }
  get translate(): ((template: string) => string) | undefined {
    return this.out.translate
  }
  set translate(translate: ((template: string) => string) | undefined) {
    this.out.translate = translate
  }
  /** The maildrop of the transaction state. */
  get maildrop(): MarkedMaildrop {
    // A login makes a session of its own, whose maildrop is open before its first command.
    if (this.drop === undefined) throw new Error('no maildrop is open')
    return this.drop
  }

  login(attempt: Promise<LoginOutcome>, by: Pop3Way, bad: string): Promise<Pop3Completion> {
    this.named = undefined
    return loginAnswer(attempt, by, bad)
  }
  async ask(line: Uint8Array): Promise<Uint8Array> {
    this.out.raw('+ ').bytes(line).endLine()
    const answer = await this.#parts.input.answer()
    if (answer === undefined) throw new Refused('Command line too long')
    return answer
  }
  slot<T>(s: Slot<T>): T {
    return this.#parts.slots.get(s)
  }
  setSlot<T>(s: Slot<T>, value: T): void {
    this.#parts.slots.set(s, value)
  }
}

/** The session with what base commands need besides the contract: they never meet another kind. */
export function liveSession(session: Pop3Session): LiveSession {
  if (session instanceof LiveSession) return session
  throw new Error('base commands run in sessions of this server')
}
