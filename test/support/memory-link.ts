import type { ConnectionLost, Link, PeerFacts } from '../../core/api/index.js'
import { ByteLink } from '../../core/net/byte-link.js'
import type { LinkOptions } from '../../core/net/byte-link.js'
import type { Transport, TransportEvents } from '../../core/net/transport.js'

const CLEAR_PEER: PeerFacts = { address: '127.0.0.1', localAddress: '127.0.0.1', localPort: 143, service: 'imap' }

/** One end of a pipe in memory; octets travel in microtasks, in order, and a paused reader holds them back. */
class MemoryTransport implements Transport {
  other: MemoryTransport | undefined
  readonly #secured: (() => PeerFacts) | undefined
  #hear: TransportEvents | undefined
  #waiting: Uint8Array[] = []
  #paused = false
  #ended = false
  #gone = false
  #delivering = false

  constructor(secured: (() => PeerFacts) | undefined) {
    this.#secured = secured
  }
  start(hear: TransportEvents): void {
    this.#hear = hear
  }
  send(chunks: readonly Uint8Array[]): void {
    const { other } = this
    if (other === undefined || this.#gone) return
    // Copied, as a socket does: the sender may use its buffer again.
    other.#waiting.push(Buffer.concat(chunks))
    other.#deliver()
  }
  pending(): number {
    let octets = 0
    if (this.other !== undefined) for (const chunk of this.other.#waiting) octets += chunk.length
    return octets
  }
  pause(): void {
    this.#paused = true
  }
  resume(): void {
    this.#paused = false
    this.#deliver()
  }
  recycle(chunk: Uint8Array): void {
    // Whoever still looks at a chunk after the next read sees nonsense here, as it may over a socket.
    chunk.fill(0xdd)
  }
  async finish(): Promise<void> {
    if (this.other !== undefined && !this.other.#ended) {
      this.other.#ended = true
      this.other.#deliver()
    }
    await Promise.resolve()
  }
  destroy(cause?: Error): void {
    if (this.#gone) return
    this.#gone = true
    const { other } = this
    queueMicrotask(() => {
      this.#hear?.lost(cause)
      if (other !== undefined && !other.#gone) {
        other.#ended = true
        other.#deliver()
      }
    })
  }
  async secure(): Promise<PeerFacts> {
    await Promise.resolve()
    if (this.#secured === undefined) throw new Error('no TLS on this link')
    return this.#secured()
  }

  #deliver(): void {
    if (this.#delivering) return
    this.#delivering = true
    queueMicrotask(() => {
      this.#delivering = false
      while (!this.#paused && !this.#gone) {
        const chunk = this.#waiting.shift()
        if (chunk === undefined) break
        if (this.#hear?.data(chunk) === false) this.#paused = true
      }
      if (this.#waiting.length > 0 || this.#gone) return
      const { other } = this
      if (other !== undefined) other.#hear?.drain()
      if (this.#ended && !this.#paused) this.#hear?.end()
    })
  }
}

/** What a test may decide about a pair. */
export interface MemoryLinkOptions extends LinkOptions {
  /** Facts of the server's end. */
  readonly peer?: Partial<PeerFacts>
  /** TLS facts after `wrap({ use: 'tls' })`; without them the link refuses TLS. No encryption happens. */
  readonly tls?: NonNullable<PeerFacts['tls']>
}

/**
 * Two ends of a link in memory, for tests: what one writes the other reads, with the same rules of flushing, backpressure, layers
 * and unread input as over a socket. Calling `wrap({ use: 'tls' })` on the client's end is not needed.
 */
export function memoryLinkPair(options: MemoryLinkOptions = {}): { readonly server: Link & { abort(reason: string, how?: ConnectionLost['how']): void }; readonly client: Link } {
  const peer: PeerFacts = { ...CLEAR_PEER, ...options.peer }
  const { tls } = options
  const left = new MemoryTransport(tls === undefined ? undefined : () => ({ ...peer, tls }))
  const right = new MemoryTransport(() => CLEAR_PEER)
  left.other = right
  right.other = left
  return { server: new ByteLink(left, peer, options), client: new ByteLink(right, CLEAR_PEER, options) }
}
