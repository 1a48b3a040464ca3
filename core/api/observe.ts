import { extensionPoint } from './kernel.js'
import type { ClientFacts } from './protocol.js'

/**
 * Hops that are measured; once per command or driver call, never per message.
 *
 * | Hop | From, to | Name | Octets |
 * |---|---|---|---|
 * | `accept` | a connection is there, its session begins (the handshake of implicit TLS is inside) | listener | 0 |
 * | `tls` | the handshake | `tls` | 0 |
 * | `login` | a proof is looked at, the answer is known; its dialogue and the delay of refusals are inside | `LOGIN`, a mechanism | 0 |
 * | `parse` | the arguments are read; streamed literals are not inside | command | of the arguments |
 * | `run` | the command runs | command | written to the client |
 * | `resolve` | a name is looked up | purpose | 0 |
 * | `store` | one call of the mail: open, append, store, copy, expunge, search, sync, ... | call | 0 |
 * | `flush` | news are told after a command | command | written to the client |
 * | `write` | octets are handed over, the operating system has taken them all | `write` | handed over |
 *
 * `ok`, `no`, or `error`: for `run` the tagged line (`error` is BAD), for the rest whether it threw.
 */
export type Hop = 'accept' | 'tls' | 'login' | 'parse' | 'run' | 'resolve' | 'store' | 'flush' | 'write'
/** What is known of a session when it begins. */
export interface ObservedSession {
  readonly id: string
  /** Id of the virtual host of the connection; a login may lead to another. */
  readonly host: string
  readonly protocol: string
  readonly address: string
}
/**
 * Sees every hop of the sessions it asks for. With none a hop costs one comparison. Numbers go through arguments, not objects. It cannot change
 * anything; one that throws is left out for the rest of the session, and the log says which.
 */
export interface Observer {
  wants(session: ObservedSession): boolean
  /** What it returns comes back with the end of the same hop; hops may lie inside one another. */
  begin?(session: string, hop: Hop, name: string): number
  /** `messages`: of the selected mailbox when a command had run; otherwise 0. */
  end?(session: string, hop: Hop, mark: number, outcome: HopOutcome, octets: number, messages: number): void
  client?(session: string, facts: ClientFacts): void
  /** The session is over. */
  close?(session: string): void
}
export type HopOutcome = 'ok' | 'no' | 'error'
/** All observers of one session as one; `undefined` in its place when nobody looks. Never throws. */
export interface SessionHops {
  begin(hop: Hop, name: string): number
  end(hop: Hop, mark: number, outcome: HopOutcome, octets: number, messages?: number): void
  client(facts: ClientFacts): void
}
/** Metrics, inspector. */
export const observers = extensionPoint<Observer>('process.observers').in({ scope: 'process', pick: 'ordered', roles: ['front', 'auth', 'mail'], slot: 'observers' })

/**
 * The octets of sessions, as the protocol sees them (inside TLS). Before the login, and in what could be an attempt to log in later, the client's
 * octets are told as numbers only, and so are the challenges of the server. Buffers are the recorder's only during the call. One that throws is left out for
 * the rest of the session.
 */
export interface TranscriptSink {
  /** Whether it wants this session; absent: every one. */
  wants?(session: ObservedSession): boolean
  /** Somebody has logged in; `host` is where the session goes on. */
  login?(session: string, user: string, host: string): void
  inbound(session: string, atMs: number, bytes: Uint8Array): void
  outbound(session: string, atMs: number, bytes: Uint8Array): void
  redacted(session: string, octets: number, from: 'client' | 'server', atMs: number): void
  /** The session is over. */
  close?(session: string): void
}
/** Recorders of sessions. */
export const transcripts = extensionPoint<TranscriptSink>('process.transcripts').in({ scope: 'process', pick: 'ordered', roles: ['front'], slot: 'transcripts' })
export interface LogSink {
  write(level: 'debug' | 'info' | 'warn' | 'error', event: string, facts: Readonly<Record<string, unknown>>): void
}
/** stderr, syslog, files. Lines of all processes come together in `main`. */
export const logSinks = extensionPoint<LogSink>('process.log').in({ scope: 'process', pick: 'ordered', roles: ['main'], slot: 'log' })
