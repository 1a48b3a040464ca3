import type { Problem, Role } from '../../api/index.js'
import type { Identity } from '../../processes/privileges.js'
import type { Place } from '../connections.js'
import type { ControlAnswer } from '../control.js'
import type { Parcel } from '../delivery/incoming.js'

/** How a process finds the configuration: the file, or a value that a program gave. */
export interface ConfigOrigin {
  readonly file?: string | undefined
  readonly value?: object
  readonly folder?: string
  /** Name of the machine, which not every process has to look up. */
  readonly machine?: string
}
/** What a `MailError` or a fault of our own says, for another process. */
export interface Failure {
  readonly problem?: string
  readonly text: string
}
/** First message to every process: what it is to be. */
export interface StartMessage {
  readonly kind: 'start'
  readonly role: Role
  readonly config: ConfigOrigin
  /** Ids it takes before it meets a stranger; undefined: it stays what it is. */
  readonly identity: Identity | undefined
  /** Account whose process it is, for HOME and messages. */
  readonly account?: { readonly name: string; readonly home: string | undefined }
  /** Where a front may make its pipes. */
  readonly pipes?: string
}
/** To any process. */
export type ToChild =
  | StartMessage
  | { readonly kind: 'stop'; readonly withinMs: number }
  /** To a front: a connection, whose socket comes with it. */
  | { readonly kind: 'connection'; readonly place: Place }
  /** To a front or an authenticator: what the other says. */
  | { readonly kind: 'auth'; readonly body: unknown }
  /** To a front. */
  | { readonly kind: 'tune'; readonly session: string; readonly octets: number }
  /** To a front: nobody answers what was asked of the authenticator. */
  | { readonly kind: 'auth-lost' }
  /** To an authenticator: whose an address is; to a front: that it is somebody's. */
  | { readonly kind: 'recipient'; readonly id: string; readonly address: string; readonly localAddress: string }
  | { readonly kind: 'recipient-found'; readonly id: string; readonly failure?: Failure }
  /** To a front: a message is on the disk, or why not. */
  | { readonly kind: 'delivered'; readonly id: string; readonly failure?: Failure }
  /** To an authenticator: a word of the operator's. */
  | { readonly kind: 'blocks'; readonly id: number; readonly request: `blocks ${string}` }
  /** To an authenticator: a session that it granted has ended, or did not come about. */
  | { readonly kind: 'session-ended'; readonly session: string }
  /** To a mail process: opens the mail of a session that will come; to a front: whether that was done. */
  | { readonly kind: 'open'; readonly session: string; readonly host: string; readonly login: unknown }
  | { readonly kind: 'opened'; readonly session: string; readonly failure?: Failure }
  /** To a mail process: the session does not come after all. */
  | { readonly kind: 'abandoned'; readonly session: string }
  /** To a mail process: a message of so many octets, which come over the socket beside it. */
  | { readonly kind: 'delivery'; readonly session: string; readonly parcel: Parcel; readonly octets: number }
  /** To a mail process: a session to serve, whose socket comes with it. */
  | { readonly kind: 'session'; readonly session: string; readonly host: string; readonly protocol: string; readonly login: unknown; readonly half: unknown }

/** From any process. */
export type FromChild =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly problems: readonly Problem[] }
  | { readonly kind: 'log'; readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly event: string; readonly facts: unknown }
  | { readonly kind: 'auth'; readonly body: unknown }
  /** From an authenticator: this session belongs to this user on this host; good once. */
  | { readonly kind: 'grant'; readonly token: string; readonly session: string; readonly host: string; readonly login: unknown }
  /** From a front: the mail of a session is to be opened, before the client hears that it is in. */
  | { readonly kind: 'open'; readonly token: string; readonly session: string }
  /** From a mail process. */
  | { readonly kind: 'opened'; readonly session: string; readonly failure?: Failure }
  /** From a front: a session to be served by its user's process. */
  | { readonly kind: 'session'; readonly token: string; readonly session: string; readonly protocol: string; readonly half: unknown }
  | { readonly kind: 'tune'; readonly session: string; readonly octets: number }
  | { readonly kind: 'ended'; readonly session: string }
  /** From a front: whether mail for an address is taken; no message comes for it after all. */
  | { readonly kind: 'recipient'; readonly id: string; readonly address: string; readonly localAddress: string }
  | { readonly kind: 'forget'; readonly id: string }
  /** From a front: the message for it, of so many octets, which come over the socket beside it. */
  | { readonly kind: 'deliver'; readonly id: string; readonly sender: string; readonly createFolder: boolean; readonly octets: number }
  /** From an authenticator: whose an address is. */
  | { readonly kind: 'recipient-found'; readonly id: string; readonly found?: { readonly host: string; readonly login: unknown; readonly folder: string | undefined }; readonly failure?: Failure }
  /** From a mail process: a message is on the disk, or why not. */
  | { readonly kind: 'delivered'; readonly session: string; readonly failure?: Failure }
  /** From an authenticator, to the operator. */
  | { readonly kind: 'blocks'; readonly id: number; readonly answer: ControlAnswer }
  /** How many connections it has: a front that is being replaced ends with its last. */
  | { readonly kind: 'load'; readonly open: number }

/** Between front and authenticator; `id` names a call. */
export type GateAsk =
  | { readonly id: number; readonly call: 'offer'; readonly peer: unknown }
  | { readonly id: number; readonly call: 'password'; readonly user: string; readonly password: string; readonly peer: unknown; readonly retries: unknown }
  | { readonly id: number; readonly call: 'sasl'; readonly mechanism: string; readonly initial?: string; readonly peer: unknown; readonly retries: unknown }
  | { readonly id: number; readonly call: 'answer'; readonly octets: string }
  | { readonly id: number; readonly call: 'cancel' }
  /** A connection ended before anybody was served on it. */
  | { readonly id: number; readonly call: 'gone'; readonly session: string }
export type GateTell =
  | { readonly id: number; readonly say: 'offer'; readonly mechanisms: readonly string[]; readonly hidden: readonly string[]; readonly plaintext: boolean }
  | { readonly id: number; readonly say: 'challenge'; readonly octets: string }
  | { readonly id: number; readonly say: 'outcome'; readonly outcome: unknown; readonly token?: string }
  | ({ readonly id: number; readonly say: 'failure' } & Failure)
