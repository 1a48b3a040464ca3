import type { Socket } from 'node:net'
import type { PeerFacts } from '../api/index.js'

/** What a transport tells the link above it. */
export interface TransportEvents {
  /** Octets that arrived, owned by the hearer. False: stop reading until `resume`. */
  data(chunk: Uint8Array): boolean
  /** The other end has finished sending; sending to it may still work. */
  end(): void
  /** Everything that was sent is with the operating system. */
  drain(): void
  /** The transport is gone, once; nothing is heard afterwards. */
  lost(cause: Error | undefined): void
}

/** Bytes below the layers of a link: a socket, a pair of streams, or memory. */
export interface Transport {
  /** Once, before anything else. Reading starts. */
  start(hear: TransportEvents): void
  /** One system call where the machine allows it. The chunks belong to the transport afterwards. */
  send(chunks: readonly Uint8Array[], octets: number): void
  /** Octets that `send` was given and that are not with the operating system yet. */
  pending(): number
  pause(): void
  resume(): void
  /** The hearer needs a chunk that `data` gave it no more; its octets may be overwritten. */
  recycle?(chunk: Uint8Array): void
  /** The other end may keep the rest of what it sends until it knows that what was read has arrived: it is told at once, where the system can. */
  acknowledge?(): void
  /** The other end has logged in. */
  trust?(): void
  /** Ends the sending side and waits, with a bound, for the other end to close. */
  finish(): Promise<void>
  destroy(cause?: Error): void
  /** Starts TLS as server; nothing is pending and reading is paused. Absent where TLS cannot be. */
  secure?(): Promise<PeerFacts>
  /** Gives the connection away, for another process; nothing is pending, and nothing is heard afterwards. Undefined where octets must pass through here. */
  release?(): Socket | undefined
  /** The largest payload of one TLS record. */
  limitRecords?(octets: number): void
}
