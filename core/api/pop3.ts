import { createToken, extensionPoint } from './kernel.js'
import type { Secret } from './kernel.js'
import type { LayerSpec, LoginGate, LoginOutcome, PeerFacts } from './auth.js'
import type { Pop3Settings } from './host.js'
import type { MessageBytes } from './mail/message.js'
import type { ClientFacts } from './protocol.js'
import type { MailAccess, SlotHolder } from './session.js'
import type { Tweaks } from './workaround.js'

/** UPDATE is what QUIT does. */
export type Pop3State = 'authorization' | 'transaction'

/** A text for people: English, alone or as a template whose `%1`, `%2`, ... the values stand for. The template is what languages translate. */
export type Phrase = string | readonly [template: string, ...values: readonly (string | number)[]]

/** What stands behind the word of the command and one space. */
export interface Pop3Arguments {
  /** As sent, without the line end: passwords may have spaces, also in front and at the end. */
  readonly rest: Uint8Array
  /** What stands between spaces, read as UTF-8. */
  readonly words: readonly string[]
}

/** One turn's replies; handed over before the next wait for the client. */
export interface Pop3Writer {
  /** `+OK text`; the status line of what follows. */
  ok(text: Phrase): void
  raw(text: string): this
  number(n: number): this
  /** Octets as they are. */
  bytes(octets: Uint8Array): this
  endLine(): void
  /**
   * A line for each of 1 to `count`, in few pieces, at the pace of the client. Lines are printable ASCII; undefined: no line for this one.
   * Within an answer of several lines, which goes on behind them.
   */
  listing(count: number, line: (n: number) => string | undefined): Promise<void>
  /** The line with the dot, which ends an answer of several lines. */
  end(): void
  /** Undefined: go on; otherwise wait, because the client does not keep up. */
  room(): Promise<void> | undefined
}

/** As in IMAP, layers follow the line. `sent`: the command has written its whole answer itself. */
export type Pop3Completion =
  | { readonly kind: 'sent' }
  | {
      readonly kind: 'ok' | 'err'
      /** `AUTH`, `IN-USE`, `SYS/TEMP` (RFC 2449 §8, RFC 3206): left out where the host does not announce such codes. */
      readonly code?: string
      /** A word for programs before the text: it is not translated. */
      readonly prefix?: string
      readonly text: Phrase
      readonly after?: 'quit' | { readonly wrap: LayerSpec | { readonly use: 'tls' } }
    }
  /** Somebody is logged in; the answer comes when the maildrop is open. */
  | { readonly kind: 'login'; readonly login: Pop3Login }

/** Who came in, and by which command: the log tells these apart. `source`: a login of another server, whose maildrop is open. */
export type Pop3Login =
  | { readonly outcome: Extract<LoginOutcome, { kind: 'in' }>; readonly by: Pop3Way }
  | { readonly source: MaildropSource; readonly user: string }
/** By which command somebody came in. */
export type Pop3Way = 'Login' | 'Auth' | 'APOP'

/** Bits of `MaildropSource.marks`. */
export const POP3_MARK = { seen: 1, recent: 2 } as const

/**
 * Where the messages of a maildrop come from. Fixed when it is opened: what arrives later is not in it, what others remove keeps its place.
 * The arrays are the maildrop's own.
 */
export interface MaildropSource {
  /** All messages of the mailbox, with those that are not shown because they bear \Deleted. */
  readonly total: number
  readonly uidValidity: number
  readonly uids: Uint32Array
  /** Octets of the text with CRLF. */
  readonly sizes: Uint32Array
  /** As found when it was opened: bits of `POP3_MARK`. */
  readonly marks: Uint8Array
  /** Indices of messages that others have removed since the last time it was asked. Throws `vanished` when the mailbox itself is gone. */
  gone(): readonly number[]
  /** Undefined: the message is gone. What it returns is valid until the next call of `read` or `idle`. */
  read(index: number, signal: AbortSignal): Promise<{ readonly headerSize: number; readonly bytes: MessageBytes } | undefined>
  /** What QUIT does: removes `deleted`, and marks `seen`. Durable when it resolves; whoever throws has removed nothing or tells what is left. */
  update(seen: readonly number[], deleted: readonly number[], signal: AbortSignal): Promise<void>
  /** The client pauses: what is held for the next message may be let go. */
  idle?(): void
  /** Another mailbox of the same account, in the place of this one, for protocols that know more than one (POP2). Closing either ends both. */
  another?(mailbox: string, signal: AbortSignal): Promise<MaildropSource>
  close(signal: AbortSignal): Promise<void>
}

/** A session that has a maildrop. */
export interface MaildropHolder {
  /** How long it has waited for its client; 0 while it works. */
  idleMs(): number
  /** Tells the client that somebody else takes the maildrop over, and ends the session. */
  giveWay(): void
}
/** A maildrop that no other POP session has until it is released; twice does no harm. */
export interface MaildropLock {
  /** Time of the last login that was noted, in ms since 1970, by whichever process; undefined: not known. */
  readonly lastMs: number | undefined
  /** Notes a login. */
  note(nowMs: number): Promise<void>
  release(): Promise<void>
}
/** Which maildrop, and by which rules. */
export interface MaildropRequest {
  /** Of the physical mailbox: `MailAccess.keyOf`. */
  readonly key: string
  /** State folder of the user, for the lock among processes; undefined: this process alone. */
  readonly folder: string | undefined
  readonly holder: MaildropHolder
  /** A holder that is idle for longer is asked to give way. */
  readonly giveWayMs: number
}
/** For protocols that give a maildrop to one session at a time (RFC 1939 §4). */
export interface MaildropLocks {
  /** Undefined: somebody has it and does not give way. */
  acquire(request: MaildropRequest, signal: AbortSignal): Promise<MaildropLock | undefined>
}
/** Of the process: hosts, and generations of a host across a reload, share maildrops. */
export const MAILDROP_LOCKS = createToken<MaildropLocks>('pop3.maildrop-locks').in('process', ['front', 'mail'])

/** The maildrop as commands see it. Message numbers are from 1 and stay. */
export interface Maildrop {
  /** Messages shown at the opening, with those that were deleted or are gone since. */
  readonly count: number
  readonly uidValidity: number
  /** Neither marked as deleted nor removed by others. */
  has(n: number): boolean
  /** Octets that RETR sends, without the doubling of dots. */
  size(n: number): number
  uid(n: number): number
  /** Of the messages that are there. */
  readonly figures: { readonly messages: number; readonly octets: number }
}

/** The same access, rights and layers as IMAP. */
export interface Pop3Session extends SlotHolder {
  readonly state: Pop3State
  readonly peer: PeerFacts
  readonly client: ClientFacts
  readonly tweaks: Tweaks
  readonly signal: AbortSignal
  readonly gate: LoginGate
  readonly settings: Pop3Settings
  /** Of the host. */
  readonly serverName: string
  /** After the login. */
  readonly mail: MailAccess | undefined
  /** Present in the transaction state. */
  readonly drop: Maildrop | undefined
  readonly out: Pop3Writer
  /** Turns templates into another language; undefined: English. */
  translate: ((template: string) => string) | undefined
  /** Names of the extensions that this session has. */
  readonly extensions: ReadonlySet<string>
  /**
   * What becomes of an attempt to log in: somebody is in, or the answer to the refusal, which has one text for all reasons, and tells an outage from one.
   * @param bad the text of the refusal.
   */
  login(attempt: Promise<LoginOutcome>, by: Pop3Way, bad: string): Promise<Pop3Completion>
  /** Sends `+ ` and the line, and reads the answer, as SASL exchanges need it. */
  ask(line: Uint8Array): Promise<Uint8Array>
}

/** A command; of two with one name in one state, that of the later extension counts. */
export interface Pop3Command {
  readonly name: string
  readonly states: readonly Pop3State[]
  /** Absent for sessions where this is false: the name is then unknown. */
  offered?(session: Pop3Session): boolean
  run(args: Pop3Arguments, session: Pop3Session): Promise<Pop3Completion> | Pop3Completion
}

/** Everything that one extension adds; switched as a unit. */
export interface Pop3Extension {
  readonly commands?: readonly Pop3Command[]
  /** Called when a half of the session begins (slots have crossed the login) and after STLS. */
  begin?(session: Pop3Session): void
  /** What the octets of USER or PASS mean before they are checked; undefined: they can be no name or password. */
  credential?(octets: Uint8Array): Uint8Array | undefined
  /** Stands at the end of the greeting: the timestamp of APOP. */
  greeting?(session: Pop3Session): string | undefined
  /**
   * Takes a login with a name and a password over before the host's gate is asked: its maildrop is on another server, and so is the answer to it.
   * Undefined: it is not for this extension. What it throws ends the session.
   */
  password?(user: string, password: Secret, session: Pick<Pop3Session, 'signal'>): Promise<MaildropSource | undefined>
}

/** All that a capability may depend on. */
export interface Pop3CapabilityView {
  readonly state: Pop3State
  readonly encrypted: boolean
  readonly peer: PeerFacts
  /** USER and PASS are there. */
  readonly plaintext: boolean
  readonly mechanisms: readonly string[]
  readonly settings: Pop3Settings
  /** Name of the server, with its version where the settings let it be said. */
  readonly implementation: string
}
/** CAPA follows what is there. */
export interface Pop3ExtensionAbout {
  /** Off, all of it, when one of these is not there. */
  readonly requires: readonly { readonly extension: string }[]
  /** Lines of CAPA (RFC 2449 §5), also for a session that is not yet logged in. */
  capabilities(v: Pop3CapabilityView): readonly string[]
}
/** All that are loaded, less `pop3.without`; the base commands are one too, and cannot be left out. */
export const pop3Extensions = extensionPoint<Pop3Extension, Pop3ExtensionAbout>('pop3.extensions').in({ scope: 'host', pick: 'all', roles: ['front', 'mail'], slot: 'hosts.*.pop3.extensions' })
