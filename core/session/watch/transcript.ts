import type { Clock, Entry, Logger, ObservedSession, TranscriptSink } from '../../api/index.js'
import { Containing } from './containing.js'
import { SecretLines } from './secret-lines.js'

const LF = 0x0a
const PLUS = 0x2b
const SPACE = 0x20

/** What a link tells of its octets, inside all layers. */
export interface LinkTap {
  inbound(octets: Uint8Array): void
  outbound(octets: Uint8Array): void
  /** Somebody has logged in. */
  login(user: string, host: string): void
  /** Nobody is logged in any more (RFC 8437). */
  logout(): void
  close(): void
}

/** All recorders that want a session as one; undefined: none does. */
export function tapOf(entries: readonly Entry<TranscriptSink, unknown>[], session: ObservedSession, clock: Clock, logger: Logger): LinkTap | undefined {
  if (entries.length === 0) return undefined
  const sinks = new Containing('transcript', session.id, entries, logger)
  sinks.keep((sink) => sink.wants?.(session) ?? true)
  return sinks.entries.length === 0 ? undefined : new Transcript(sinks, session.id, clock)
}

/**
 * Before the login all that the client says may be part of a proof, in any protocol: it is counted, not told, and so are the server's challenges. After
 * it, lines that look like a login are counted.
 */
class Transcript implements LinkTap {
  readonly #sinks: Containing<TranscriptSink>
  readonly #session: string
  readonly #clock: Clock
  readonly #lines: SecretLines
  #inside = false
  #lineStart = true
  #challenge = false

  constructor(sinks: Containing<TranscriptSink>, session: string, clock: Clock) {
    this.#sinks = sinks
    this.#session = session
    this.#clock = clock
    this.#lines = new SecretLines({
      shown: (octets) => this.#sinks.each((sink) => sink.inbound(this.#session, this.#clock.now(), octets)),
      hidden: (octets) => this.#hide(octets, 'client'),
    })
  }
  inbound(octets: Uint8Array): void {
    if (this.#inside) this.#lines.feed(octets)
    else this.#hide(octets.length, 'client')
  }
  outbound(octets: Uint8Array): void {
    if (this.#inside) this.#show(octets)
    else for (let at = 0; at < octets.length; ) at += this.#outboundLine(octets.subarray(at))
  }
  login(user: string, host: string): void {
    this.#inside = true
    this.#sinks.each((sink) => sink.login?.(this.#session, user, host))
  }
  logout(): void {
    this.#inside = false
    this.#lineStart = true
  }
  close(): void {
    if (this.#inside) this.#lines.end()
    this.#sinks.each((sink) => sink.close?.(this.#session))
  }

  /** One line, or the part of it that is there; challenges begin with `+ ` in IMAP4 and POP3. */
  #outboundLine(rest: Uint8Array): number {
    const end = rest.indexOf(LF)
    const piece = rest.subarray(0, end < 0 ? rest.length : end + 1)
    if (this.#lineStart) this.#challenge = piece[0] === PLUS && (piece.length === 1 || piece[1] === SPACE)
    this.#lineStart = end >= 0
    if (this.#challenge) this.#hide(piece.length, 'server')
    else this.#show(piece)
    return piece.length
  }
  #show(octets: Uint8Array): void {
    this.#sinks.each((sink) => sink.outbound(this.#session, this.#clock.now(), octets))
  }
  #hide(octets: number, from: 'client' | 'server'): void {
    this.#sinks.each((sink) => sink.redacted(this.#session, octets, from, this.#clock.now()))
  }
}
