import { Socket } from 'node:net'
import type { SocketConstructorOpts } from 'node:net'
import { TLSSocket } from 'node:tls'
import { ConnectionLost } from '../api/index.js'
import type { PeerFacts } from '../api/index.js'
import { nativeLocks } from '../os/native-locks.js'
import { gather } from './gather.js'
import type { Transport, TransportEvents } from './transport.js'

/**
 * Every clear socket of the process reads into the same octets, and what came is copied. Node would otherwise set aside 64 KiB for each
 * read of each connection, which thousands of senders of garbage turn into hundreds of megabytes. Before the login reads are smaller.
 */
const READ_INTO = Buffer.allocUnsafeSlow(64 * 1024)
const EARLY_READ_INTO = READ_INTO.subarray(0, 16 * 1024)
/** Large chunks from before the login are used again: they come as fast as somebody can send, and would wait for the garbage collector. */
const REUSE_FROM_OCTETS = 4 * 1024
const MOST_SPARE_CHUNKS = 64
const spareChunks: Buffer[] = []
/** Small turns are put together here; a turn that the system does not take at once keeps these octets, and the next gets others. */
let scratch = Buffer.allocUnsafeSlow(16 * 1024)
/** How long a closing connection waits for the other end, discarding what it still sends: a reset would destroy the last reply. */
const LINGER_MS = 2_000
const LARGEST_RECORD_OCTETS = 16_384
const SMALLEST_RECORD_OCTETS = 512

/** What becomes of a clear socket when TLS starts on it. */
export interface Secured {
  readonly socket: TLSSocket
  readonly peer: PeerFacts
}

/** How a socket is treated. */
export interface SocketOptions {
  /** A client that takes nothing for this long, while something waits for it, is given up. 0: never. */
  readonly writeStallMs: number
  /** Octets of the other end that were read from the socket already; they are heard first. */
  readonly early?: Buffer
  /** The TLS handshake as server. Absent: no TLS. */
  readonly secure?: (socket: Socket) => Promise<Secured>
}

/** A TCP or unix-domain socket, later perhaps the TLS socket over it. */
export class SocketTransport implements Transport {
  readonly #options: SocketOptions
  #socket: Socket
  #hear: TransportEvents | undefined
  #error: Error | undefined
  #gone = false
  #discard = false
  #recordOctets = 8192
  #watched = false
  #trusted = false
  #early: Buffer | undefined
  readonly #sent = (error?: Error | null): void => {
    if (error !== undefined && error !== null) return
    if (this.#watched && this.#socket.writableLength === 0) {
      this.#watched = false
      this.#socket.setTimeout(0)
    }
    this.#hear?.drain()
  }

  /** @param accepted as a server got it, paused, with nothing read from it. */
  constructor(accepted: Socket, options: SocketOptions) {
    this.#options = options
    this.#early = options.early
    this.#socket = accepted instanceof TLSSocket ? accepted : readingInto(accepted, { into: () => (this.#trusted ? READ_INTO : EARLY_READ_INTO), hear: (chunk) => this.#discard || this.#data(this.#copied(chunk)) })
  }

  start(hear: TransportEvents): void {
    this.#hear = hear
    this.#attach(this.#socket)
    if (this.#early === undefined) this.#socket.resume()
    // Not at once: whoever made the link may start TLS on it first, and then they are part of that.
    else setImmediate(() => this.#hearEarly())
  }

  send(chunks: readonly Uint8Array[], octets: number): void {
    const socket = this.#socket
    if (socket.destroyed) return
    const pieces = octets <= scratch.length && !(socket instanceof TLSSocket) ? [inScratch(chunks, octets)] : gather(chunks, octets)
    const last = pieces.length - 1
    if (last > 0) socket.cork()
    // The callback, not the `drain` event: that comes only when Node's own mark was passed.
    pieces.forEach((piece, i) => (i === last ? socket.write(piece, this.#sent) : socket.write(piece)))
    if (last > 0) socket.uncork()
    if (socket.writableLength > 0 && pieces[0]?.buffer === scratch.buffer) scratch = Buffer.allocUnsafeSlow(scratch.length)
    if (socket.writableLength > 0 && this.#options.writeStallMs > 0) {
      // Node looks for progress by itself: only a connection on which nothing at all moves is given up.
      this.#watched = true
      socket.setTimeout(this.#options.writeStallMs)
    }
  }
  pending(): number {
    // Between its end and the event that tells of it, a socket takes and drops everything: nobody may believe that it drains.
    return this.#socket.destroyed ? Number.POSITIVE_INFINITY : this.#socket.writableLength
  }
  recycle(chunk: Uint8Array): void {
    if (this.#trusted || spareChunks.length >= MOST_SPARE_CHUNKS || chunk.buffer.byteLength !== EARLY_READ_INTO.length) return
    spareChunks.push(Buffer.from(chunk.buffer))
  }
  acknowledge(): void {
    const socket = this.#socket
    void nativeLocks().then((native) => {
      // The number of a closed socket may be another's by now.
      const fd = socket.destroyed ? -1 : (handleOf(socket)?.fd ?? -1)
      if (fd >= 0) native?.acknowledgeNow?.(fd)
    })
  }
  trust(): void {
    this.#trusted = true
  }
  pause(): void {
    this.#socket.pause()
  }
  resume(): void {
    if (this.#early === undefined) this.#socket.resume()
  }

  finish(): Promise<void> {
    const socket = this.#socket
    if (this.#gone || socket.destroyed) return Promise.resolve()
    this.#discard = true
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LINGER_MS)
      socket.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
      socket.once('end', () => {
        clearTimeout(timer)
        resolve()
      })
      socket.end()
      if (socket.readableEnded) {
        clearTimeout(timer)
        socket.once('finish', resolve)
      } else socket.resume()
    })
  }
  destroy(cause?: Error): void {
    this.#error ??= cause
    this.#socket.destroy()
  }

  async secure(): Promise<PeerFacts> {
    const { secure } = this.#options
    if (secure === undefined) throw new ConnectionLost('there is no TLS on this listener')
    const clear = this.#socket
    clear.setTimeout(0)
    if (this.#early !== undefined) {
      clear.unshift(this.#early)
      this.#early = undefined
    }
    const { socket, peer } = await secure(clear)
    if (this.#gone) {
      socket.destroy()
      throw new ConnectionLost('connection closed')
    }
    this.#socket = socket
    this.limitRecords(this.#recordOctets)
    this.#attach(socket)
    socket.pause()
    return peer
  }
  release(): Socket | undefined {
    const socket = this.#socket
    if (socket instanceof TLSSocket || socket.destroyed || socket.readableEnded) return undefined
    socket.pause()
    socket.setTimeout(0)
    this.#gone = true
    return socket
  }
  limitRecords(octets: number): void {
    this.#recordOctets = Math.min(Math.max(octets, SMALLEST_RECORD_OCTETS), LARGEST_RECORD_OCTETS)
    if (this.#socket instanceof TLSSocket) this.#socket.setMaxSendFragment(this.#recordOctets)
  }

  #hearEarly(): void {
    const early = this.#early
    this.#early = undefined
    if (early === undefined || this.#gone) return
    if (this.#data(early)) this.#socket.resume()
  }
  #attach(socket: Socket): void {
    if (socket instanceof TLSSocket || !readsInto.has(socket)) {
      socket.on('data', (chunk: Buffer) => {
        if (!this.#data(chunk)) socket.pause()
      })
    }
    socket.on('end', () => this.#ended(socket))
    socket.on('timeout', () => {
      if (socket.writableLength > 0) this.destroy(new ConnectionLost('the client stopped reading'))
    })
    socket.on('error', (error) => {
      this.#error ??= error
    })
    socket.on('close', () => this.#closed(socket))
    if (socket.destroyed) process.nextTick(() => this.#closed(socket))
  }

  #copied(chunk: Buffer): Buffer {
    if (this.#trusted || chunk.length < REUSE_FROM_OCTETS) return Buffer.from(chunk)
    const space = spareChunks.pop() ?? Buffer.allocUnsafeSlow(EARLY_READ_INTO.length)
    chunk.copy(space)
    return space.subarray(0, chunk.length)
  }
  #data(chunk: Buffer): boolean {
    return this.#discard || this.#hear === undefined || this.#hear.data(chunk)
  }
  #ended(socket: Socket): void {
    if (socket === this.#socket && !this.#discard) this.#hear?.end()
  }
  #closed(socket: Socket): void {
    // The clear socket under TLS closes too; one of the two tells.
    if (this.#gone || (socket !== this.#socket && !this.#socket.destroyed)) return
    this.#gone = true
    this.#hear?.lost(this.#error)
  }
}

/** Few octets as one piece, in the scratch where there are several. */
function inScratch(chunks: readonly Uint8Array[], octets: number): Uint8Array {
  const [only] = chunks
  if (chunks.length === 1 && only !== undefined) return only
  let at = 0
  for (const chunk of chunks) {
    scratch.set(chunk, at)
    at += chunk.length
  }
  return scratch.subarray(0, octets)
}

/** Not in the typings, but how Node itself hands a connection from its server to a socket, in all versions that we support. */
interface HandleHolder {
  _handle?: { readonly fd?: number } | null
}
function handleOf(socket: Socket): HandleHolder['_handle'] & {} | undefined {
  return (socket as unknown as HandleHolder)._handle ?? undefined
}
const readsInto = new WeakSet<Socket>()

/**
 * The same connection as a socket with `onread`, which Node offers to clients alone. Where the handle is not to be had, the socket
 * itself comes back and reads the usual way.
 */
function readingInto(accepted: Socket, how: { readonly into: () => Buffer; readonly hear: (chunk: Buffer) => boolean }): Socket {
  const holder = accepted as unknown as HandleHolder
  const handle = handleOf(accepted)
  if (handle === undefined) return accepted
  // `handle` and `onread` are options of the constructor that the typings leave out.
  const options = { handle, allowHalfOpen: true, onread: { buffer: how.into, callback: (octets: number) => how.hear(READ_INTO.subarray(0, octets)) } } as SocketConstructorOpts
  holder._handle = null
  const socket = new Socket(options)
  readsInto.add(socket)
  // The server counts the socket that it made; it goes when the connection goes.
  socket.once('close', () => accepted.destroy())
  return socket
}
