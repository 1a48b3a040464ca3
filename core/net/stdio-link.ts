import { fstatSync } from 'node:fs'
import { Socket, type SocketConstructorOpts } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import type { PeerFacts } from '../api/index.js'
import { ByteLink } from './byte-link.js'
import type { LinkOptions } from './byte-link.js'
import { gather } from './gather.js'
import type { Transport, TransportEvents } from './transport.js'

/** Two streams that belong together, such as standard input and output of a process that ssh started. */
class StreamTransport implements Transport {
  readonly #input: Readable
  readonly #output: Writable
  #hear: TransportEvents | undefined
  #gone = false
  readonly #sent = (error?: Error | null): void => {
    if (error === undefined || error === null) this.#hear?.drain()
  }

  constructor(input: Readable, output: Writable) {
    this.#input = input
    this.#output = output
  }

  start(hear: TransportEvents): void {
    this.#hear = hear
    this.#input.on('data', (chunk: Buffer) => {
      if (!hear.data(chunk)) this.#input.pause()
    })
    this.#input.on('end', () => hear.end())
    this.#input.on('error', (error) => this.destroy(error))
    this.#output.on('error', (error) => this.destroy(error))
    this.#output.on('close', () => this.destroy())
  }
  send(chunks: readonly Uint8Array[], octets: number): void {
    const pieces = gather(chunks, octets)
    this.#output.cork()
    pieces.forEach((piece, i) => (i === pieces.length - 1 ? this.#output.write(piece, this.#sent) : this.#output.write(piece)))
    this.#output.uncork()
  }
  pending(): number {
    return this.#gone || this.#output.destroyed ? Number.POSITIVE_INFINITY : this.#output.writableLength
  }
  pause(): void {
    this.#input.pause()
  }
  resume(): void {
    this.#input.resume()
  }
  finish(): Promise<void> {
    // Standard output cannot be ended by the process; all of it is with the system when nothing is pending.
    return Promise.resolve()
  }
  destroy(cause?: Error): void {
    if (this.#gone) return
    this.#gone = true
    // Whoever says nothing more, and does not go, would keep the process.
    this.#input.destroy()
    queueMicrotask(() => this.#hear?.lost(cause))
  }
}

/** A link over a pair of streams; there is no TLS on it. */
export function streamLink(input: Readable, output: Writable, peer: PeerFacts, options: LinkOptions): ByteLink {
  return new ByteLink(new StreamTransport(input, output), peer, options)
}

/**
 * The connection that inetd or a systemd `Accept=yes` socket put on a descriptor; undefined when the descriptor is no socket. Nothing is read from it before a
 * link takes it over: what a client says first (TLS) would be lost.
 */
export function inheritedConnection(fd: number): Socket | undefined {
  // Once at the start of a process that serves one connection: nobody waits for this call.
  if (!fstatSync(fd).isSocket()) return undefined
  // `manualStart` is what `pauseOnConnect` is for servers; the typings leave it out.
  const options = { fd, readable: true, writable: true, allowHalfOpen: true, manualStart: true } as SocketConstructorOpts
  return new Socket(options)
}
