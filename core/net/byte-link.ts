import type { Socket } from 'node:net'
import { ConnectionLost } from '../api/index.js'
import type { HopOutcome, LayerSpec, Link, PeerFacts, SessionHops, TransportLayer, TransportLayerKind } from '../api/index.js'
import type { Transport, TransportEvents } from './transport.js'

/** A pass through the queue before the turn ends, so that a stream of literals does not pile up: a full slab of a writer always leaves at once. */
const FLUSH_AT_OCTETS = 32 * 1024
/** What may wait for a client that does not read: little until it has shown that it reads. */
const FIRST_HIGH_WATER_OCTETS = 16 * 1024
const LAST_HIGH_WATER_OCTETS = 256 * 1024
/** A chunk this large means bulk input: the next one is read when it is asked for. */
const BULK_OCTETS = 16 * 1024

const DONE: Promise<void> = Promise.resolve()

/** What a link can do besides moving octets. */
export interface LinkOptions {
  /** Layers that `wrap` may be asked for, by name. */
  readonly layers?: (use: string) => TransportLayerKind | undefined
  /** See `Link.stopping`. */
  readonly stopping?: AbortSignal
}
/** Who watches a link. Nothing of this may throw. */
export interface LinkWatch {
  /** Hears what goes in and out, inside all layers, and who it is. */
  readonly tap?: LinkTap | undefined
  readonly hops?: SessionHops | undefined
}
/** Octets are the hearer's only during the call. */
export interface LinkTap {
  inbound(octets: Uint8Array): void
  outbound(octets: Uint8Array): void
  login(user: string, host: string): void
  logout(): void
}
const UNWATCHED: LinkWatch = Object.freeze({})

interface Waiting<T> {
  readonly resolve: (value: T) => void
  readonly reject: (reason: Error) => void
}

/**
 * The link of a session over any transport.
 *
 * Invariants: at most one chunk is read ahead of the consumer, none behind a bulk chunk; nothing is read while a layer is put in place;
 * what was written in one turn leaves with one call; after the transport is gone every wait ends.
 */
export class ByteLink implements Link, TransportEvents {
  readonly #transport: Transport
  readonly #options: LinkOptions
  readonly #abort = new AbortController()
  readonly #layers: TransportLayer[] = []
  #peer: PeerFacts
  #inbox: Uint8Array[] = []
  /** What the consumer has in hand; its next `read` gives it back. */
  #lent: Uint8Array | undefined
  #reader: Waiting<Uint8Array | undefined> | undefined
  #queue: Uint8Array[] = []
  #queuedOctets = 0
  #scheduled = false
  #highWater = FIRST_HIGH_WATER_OCTETS
  #drains: (Waiting<void> & { readonly upTo: number })[] = []
  #ended = false
  #lost: ConnectionLost | undefined
  #closing: Promise<void> | undefined
  #paused = false
  #whenSecured: ((peer: PeerFacts) => Promise<void>) | undefined
  #watch: LinkWatch = UNWATCHED
  /** Octets that were handed over and that the system has not all taken yet, where that is measured. */
  #writing: { readonly mark: number; octets: number } | undefined
  readonly #flushTurn = (): void => {
    this.#scheduled = false
    this.#flush()
  }

  constructor(transport: Transport, peer: PeerFacts, options: LinkOptions = {}) {
    this.#transport = transport
    this.#peer = peer
    this.#options = options
    transport.start(this)
  }

  get peer(): PeerFacts {
    return this.#peer
  }
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  get hops(): SessionHops | undefined {
    return this.#watch.hops
  }
  get stopping(): AbortSignal | undefined {
    return this.#options.stopping
  }

  read(): Promise<Uint8Array | undefined> {
    this.#giveBack(this.#lent)
    this.#lent = undefined
    const next = this.#inbox.shift()
    if (next !== undefined) {
      this.#lent = next
      this.#watch.tap?.inbound(next)
      return Promise.resolve(next)
    }
    if (this.#ended || this.#closing !== undefined) return Promise.resolve(undefined)
    if (this.#lost !== undefined) return Promise.reject(this.#lost)
    if (this.#reader !== undefined) return Promise.reject(new TypeError('read() is already waiting on this link'))
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
      this.#resume()
    })
  }

  write(chunk: Uint8Array): boolean {
    if (this.#lost !== undefined || this.#closing !== undefined) return false
    if (chunk.length > 0) {
      this.#watch.tap?.outbound(chunk)
      this.#queue.push(chunk)
      this.#queuedOctets += chunk.length
    }
    if (this.#queuedOctets >= FLUSH_AT_OCTETS) this.#flush()
    else if (!this.#scheduled) {
      this.#scheduled = true
      // Ticks run when all promises that are ready have run: the end of the turn, before the next system event.
      process.nextTick(this.#flushTurn)
    }
    return this.#queuedOctets + this.#transport.pending() <= this.#highWater
  }

  acknowledge(): void {
    if (this.#lost === undefined) this.#transport.acknowledge?.()
  }

  get settled(): boolean {
    // A layer may look back at what it was given.
    return this.#queuedOctets === 0 && this.#layers.length === 0 && this.#lost === undefined && this.#transport.pending() === 0
  }

  drained(): Promise<void> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost)
    if (this.#queuedOctets + this.#transport.pending() <= this.#highWater) return DONE
    this.#flush()
    return this.#waitFor(this.#highWater)
  }

  async wrap(layer: LayerSpec | { readonly use: 'tls' }): Promise<void> {
    this.#pause()
    this.#refuseUnread(layer.use)
    this.#flush()
    await this.#waitFor(0)
    this.#refuseUnread(layer.use)
    if (layer.use === 'tls') {
      if (this.#transport.secure === undefined) throw this.#fail(new ConnectionLost('this link cannot carry TLS'))
      const { hops } = this.#watch
      const mark = hops?.begin('tls', 'tls') ?? 0
      let outcome: HopOutcome = 'error'
      try {
        this.#peer = await this.#transport.secure()
        await this.#whenSecured?.(this.#peer)
        outcome = 'ok'
      } catch (cause) {
        throw this.#fail(cause instanceof ConnectionLost ? cause : new ConnectionLost('TLS handshake failed', { cause }))
      } finally {
        hops?.end('tls', mark, outcome, 0)
      }
    } else {
      const kind = this.#options.layers?.(layer.use)
      if (kind === undefined || !('state' in layer)) throw this.#fail(new ConnectionLost(`no transport layer "${layer.use}"`))
      try {
        this.#layers.push(kind.open(layer.state))
      } catch (cause) {
        throw this.#fail(new ConnectionLost(`the transport layer "${layer.use}" cannot be opened`, { cause }))
      }
    }
    this.#resume()
  }

  tune(limits: { readonly maxWriteOctets?: number }): void {
    if (limits.maxWriteOctets !== undefined && limits.maxWriteOctets > 0) this.#transport.limitRecords?.(limits.maxWriteOctets)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** From now on, before anything was read. */
  watch(watch: LinkWatch): void {
    this.#watch = watch
  }
  /** Nobody is logged in any more. */
  distrust(): void {
    this.#watch.tap?.logout()
  }
  /** Somebody has logged in: input may come in larger pieces. */
  trust(who?: { readonly user: string; readonly host: string }): void {
    if (who !== undefined) this.#watch.tap?.login(who.user, who.host)
    // What of the last chunk was not used yet goes on to the second half of the session.
    this.#lent = undefined
    this.#transport.trust?.()
  }

  /** Runs whenever TLS has begun, before anything is read under it. */
  whenSecured(hook: (peer: PeerFacts) => Promise<void>): void {
    this.#whenSecured = hook
  }

  /**
   * Gives the connection away, for another process, with what was read ahead; the link is closed then. Undefined where the octets must go
   * on to pass through here (TLS, layers); the link is as before.
   * @throws ConnectionLost
   */
  async handOver(): Promise<{ readonly socket: Socket; readonly unread: Uint8Array } | undefined> {
    // What is recorded is recorded here.
    if (this.#layers.length > 0 || this.#transport.release === undefined || this.#ended || this.#watch.tap !== undefined) return undefined
    this.#pause()
    this.#flush()
    await this.#waitFor(0)
    const socket = this.#ended ? undefined : this.#transport.release()
    if (socket === undefined) {
      this.#resume()
      return undefined
    }
    const unread = Buffer.concat(this.#inbox)
    this.#inbox = []
    this.#closing = DONE
    this.#abort.abort(new ConnectionLost('handed over'))
    return { socket, unread }
  }

  /** Ends the link at once, as if the other end had gone away; `reason` is what every wait on it is told. */
  abort(reason: string, how?: ConnectionLost['how']): void {
    if (this.#lost === undefined) this.#fail(new ConnectionLost(reason, how === undefined ? {} : { how }))
  }

  #giveBack(chunk: Uint8Array | undefined): void {
    // Octets that a layer made are its own.
    if (chunk !== undefined && this.#layers.length === 0) this.#transport.recycle?.(chunk)
  }
  async #close(): Promise<void> {
    // Whoever closes has done with what was read. Thousands that are turned away at once would leave their last chunks to the collector.
    for (const chunk of [this.#lent, ...this.#inbox]) this.#giveBack(chunk)
    this.#lent = undefined
    this.#inbox = []
    this.#flush()
    this.#reader?.resolve(undefined)
    this.#reader = undefined
    for (const layer of this.#layers) layer.close()
    if (this.#lost !== undefined) return
    try {
      await this.#waitFor(0)
      this.#paused = false
      await this.#transport.finish()
    } catch {
      // Gone while the last replies were on their way: there is nobody left to tell.
    }
    this.#transport.destroy()
    if (!this.#abort.signal.aborted) this.#abort.abort(new ConnectionLost('closed'))
  }

  // ---- what the transport tells

  data(chunk: Uint8Array): boolean {
    if (this.#closing !== undefined || this.#lost !== undefined) return true
    const first = this.#inbox.length
    if (this.#layers.length === 0) this.#inbox.push(chunk)
    else this.#unwrap(chunk)
    if (this.#inbox.length > first && this.#reader !== undefined) {
      const { resolve } = this.#reader
      this.#reader = undefined
      this.#lent = this.#inbox.shift()
      if (this.#lent !== undefined) this.#watch.tap?.inbound(this.#lent)
      resolve(this.#lent)
    }
    this.#paused = this.#reader === undefined && (this.#inbox.length > 0 || chunk.length >= BULK_OCTETS)
    return !this.#paused
  }

  end(): void {
    this.#ended = true
    this.#reader?.resolve(undefined)
    this.#reader = undefined
  }

  drain(): void {
    this.#wrote('ok')
    if (this.#drains.length === 0) return
    if (this.#highWater < LAST_HIGH_WATER_OCTETS) this.#highWater *= 2
    const pending = this.#queuedOctets + this.#transport.pending()
    const waiting = this.#drains
    this.#drains = waiting.filter((w) => pending > w.upTo)
    for (const w of waiting) if (pending <= w.upTo) w.resolve()
  }

  lost(cause: Error | undefined): void {
    if (this.#lost !== undefined) return
    const text = cause === undefined ? 'connection closed' : cause.message
    this.#lose(cause instanceof ConnectionLost ? cause : new ConnectionLost(text, { cause }))
  }

  // ---- inside

  #fail(reason: ConnectionLost): ConnectionLost {
    this.#inbox = []
    this.#lose(reason)
    this.#transport.destroy(reason)
    return reason
  }

  #lose(reason: ConnectionLost): void {
    if (this.#lost !== undefined) return
    this.#lost = reason
    this.#wrote('error')
    this.#queue = []
    this.#queuedOctets = 0
    // After an orderly end of input the reader was already told; only then is losing the link not an error for it.
    if (this.#ended || this.#closing !== undefined) this.#reader?.resolve(undefined)
    else this.#reader?.reject(reason)
    this.#reader = undefined
    for (const w of this.#drains) w.reject(reason)
    this.#drains = []
    if (!this.#abort.signal.aborted) this.#abort.abort(reason)
  }

  #pause(): void {
    this.#paused = true
    this.#transport.pause()
  }

  #resume(): void {
    if (!this.#paused || this.#lost !== undefined) return
    this.#paused = false
    this.#transport.resume()
  }

  /** RFC 3501 §11.1 and CVE-2011-0411: what came in clear must never count as said under the layer. */
  #refuseUnread(use: string): void {
    if (this.#lost !== undefined) throw this.#lost
    if (this.#inbox.length > 0) throw this.#fail(new ConnectionLost(`input was sent before the ${use} layer began`))
    if (this.#ended) throw this.#fail(new ConnectionLost(`input ended before the ${use} layer began`))
  }

  #waitFor(upTo: number): Promise<void> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost)
    if (this.#queuedOctets + this.#transport.pending() <= upTo) return DONE
    return new Promise((resolve, reject) => {
      this.#drains.push({ resolve, reject, upTo })
    })
  }

  #flush(): void {
    if (this.#queue.length === 0 || this.#lost !== undefined) return
    const chunks = this.#queue
    const octets = this.#queuedOctets
    this.#queue = []
    this.#queuedOctets = 0
    const { hops } = this.#watch
    if (hops !== undefined) {
      this.#writing ??= { mark: hops.begin('write', 'write'), octets: 0 }
      this.#writing.octets += octets
    }
    if (this.#layers.length === 0) this.#transport.send(chunks, octets)
    else this.#sendWrapped(chunks)
    this.#wrote('ok')
  }
  /** The system has taken all, or will take nothing any more. */
  #wrote(outcome: HopOutcome): void {
    const writing = this.#writing
    if (writing === undefined || (outcome === 'ok' && this.#transport.pending() > 0)) return
    this.#writing = undefined
    this.#watch.hops?.end('write', writing.mark, outcome, writing.octets)
  }

  #sendWrapped(plain: readonly Uint8Array[]): void {
    let chunks = plain
    try {
      // The layer that was added last is the innermost: it sees the session's octets first.
      for (const layer of this.#layers.toReversed()) {
        const out: Uint8Array[] = []
        const emit = (wrapped: Uint8Array): void => void out.push(wrapped)
        for (const chunk of chunks) layer.outbound(chunk, emit)
        layer.flush(emit)
        chunks = out
      }
    } catch (cause) {
      // Nothing may leave without the layer.
      this.#fail(new ConnectionLost('the transport layer failed', { cause }))
      return
    }
    let octets = 0
    for (const chunk of chunks) octets += chunk.length
    if (octets > 0) this.#transport.send(chunks, octets)
  }

  #unwrap(chunk: Uint8Array): void {
    try {
      let chunks: readonly Uint8Array[] = [chunk]
      for (const layer of this.#layers) {
        const out: Uint8Array[] = []
        for (const c of chunks) layer.inbound(c, (plain) => void (plain.length > 0 && out.push(plain)))
        chunks = out
      }
      this.#inbox.push(...chunks)
    } catch (cause) {
      this.#fail(new ConnectionLost('the octets do not fit the transport layer', { cause }))
    }
  }
}
