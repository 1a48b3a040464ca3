import { extensionPoint } from './kernel.js'
import type { ClientFacts } from './protocol.js'

/** Hops that are measured; once per command or driver call, never per message. */
export type Hop = 'accept' | 'tls' | 'login' | 'parse' | 'run' | 'resolve' | 'store' | 'flush' | 'write'
/**
 * Sees every hop of the sessions it asks for. Session start merges all observers into one object or `undefined`; with none, a hop
 * costs one comparison. Numbers go through arguments, not objects. It cannot change anything.
 */
export interface Observer {
  wants(session: { readonly id: string; readonly host: string; readonly protocol: string }): boolean
  begin?(session: string, hop: Hop, name: string): number
  end?(session: string, hop: Hop, mark: number, outcome: 'ok' | 'no' | 'error', octets: number): void
  client?(session: string, facts: ClientFacts): void
}
/** Metrics, inspector. */
export const observers = extensionPoint<Observer>('process.observers').in({ scope: 'process', pick: 'ordered', roles: ['front', 'auth', 'mail'], slot: 'observers' })
/** Record and replay: with CLOCK, RANDOM and this as the outermost layer, a session file runs again bit by bit. */
export interface TranscriptSink {
  inbound(session: string, atMs: number, bytes: Uint8Array): void
  outbound(session: string, atMs: number, bytes: Uint8Array): void
  redacted(session: string, octets: number): void
}
/** Told octet counts instead of octets during authentication. */
export const transcripts = extensionPoint<TranscriptSink>('process.transcripts').in({ scope: 'process', pick: 'ordered', roles: ['front'], slot: 'transcripts' })
export interface LogSink {
  write(level: 'debug' | 'info' | 'warn' | 'error', event: string, facts: Readonly<Record<string, unknown>>): void
}
/** stderr, syslog, files. Lines of all processes come together in `main`. */
export const logSinks = extensionPoint<LogSink>('process.log').in({ scope: 'process', pick: 'ordered', roles: ['main'], slot: 'log' })
