import type { OpenFile } from 'mailwright/api'
import { crc32 } from 'node:zlib'
import { CHUNK, spareChunks } from '../shared/spare-chunks.js'
import { putDataRecord } from './put-records.js'
import { DATA_OCTETS, type DataRecord } from './records.js'
import type { Extent } from './redo.js'

/** Octets of one write. */
export const PIECE = CHUNK
const DONE: Promise<void> = Promise.resolve()

/** Writes messages to the end of a data file and sums them up. The file stays open for the next ones. */
export class DataWriter {
  readonly file: number
  /** The file was made for it: its name has to be synced. */
  readonly fresh: boolean
  /** What is written is on the disk. */
  readonly #synced: boolean
  readonly #open: OpenFile
  readonly #start: number
  readonly #signal: AbortSignal
  /** Octets of a piece. */
  readonly #piece: number
  /** Octets that are yet to be written: those of many messages go in one piece, since each piece of a write has its price. */
  #held: Buffer<ArrayBuffer> | undefined
  /** The piece before, on its way or written. */
  #other: Buffer<ArrayBuffer> | undefined
  #writing: Promise<void> = DONE
  #used = 0
  /** Where the first of them goes. */
  #at: number
  /** So many of them are in the sum. */
  #summed = 0
  #sum = 0
  /** @param octets how many are expected */
  constructor(open: OpenFile, file: number, place: { readonly at: number; readonly fresh: boolean; readonly octets: number; readonly synced: boolean }, signal: AbortSignal) {
    this.#open = open
    this.file = file
    this.fresh = place.fresh
    this.#synced = place.synced
    this.#start = this.#at = place.at
    this.#piece = Math.min(place.octets, PIECE)
    this.#signal = signal
  }
  get #room(): Buffer {
    return (this.#held ??= spareChunks.room(this.#piece))
  }
  /** Place of the next octet. */
  get at(): number {
    return this.#at + this.#used
  }
  /** A promise where a piece is full, and has to be written before anything else is added. */
  add(bytes: Uint8Array): Promise<void> | undefined {
    if (bytes.length > this.#room.length - this.#used) return this.#addPieces(bytes)
    this.#room.set(bytes, this.#used)
    this.#used += bytes.length
    return undefined
  }
  /** The record in front of a message, as `add`. */
  record(r: DataRecord): Promise<void> | undefined {
    if (DATA_OCTETS > this.#room.length - this.#used) {
      const bytes = Buffer.alloc(DATA_OCTETS)
      putDataRecord(bytes, 0, r)
      return this.#addPieces(bytes)
    }
    putDataRecord(this.#room, this.#used, r)
    this.#used += DATA_OCTETS
    return undefined
  }
  async #addPieces(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      if (this.#used === this.#room.length) await this.#flush()
      const part = bytes.subarray(done, done + this.#room.length - this.#used)
      this.#room.set(part, this.#used)
      this.#used += part.length
      done += part.length
    }
  }
  /** A place for the next octets, as many as asked for, which are to be put there before anything else is asked for. At most a piece. */
  async space(octets: number): Promise<Buffer> {
    if (octets > this.#room.length - this.#used) await this.#flush()
    const from = this.#used
    this.#used += octets
    return this.#room.subarray(from, this.#used)
  }
  /** Puts octets behind the others that lie elsewhere, and are left alone there until the next call has resolved, or `finish`. */
  async put(bytes: Buffer): Promise<void> {
    // Several writes would each wait for the disk.
    if (this.#synced) return this.add(bytes)
    await this.#write()
    await this.#writing
    this.#begin(bytes, crc32(bytes, this.#sum))
  }
  /** Hands the piece over: the next one is filled while it is written. */
  async #flush(): Promise<void> {
    await this.#write()
    const held = this.#held
    this.#held = this.#other
    this.#other = held
  }
  /** Begins to write what is there, once the piece before is written. */
  async #write(): Promise<void> {
    await this.#writing
    this.#signal.throwIfAborted()
    if (this.#used === 0) return
    this.#sumUp()
    const piece = this.#room.subarray(0, this.#used)
    this.#used = this.#summed = 0
    this.#begin(piece, this.#sum)
  }
  #begin(bytes: Buffer, sum: number): void {
    const at = this.#at
    this.#at += bytes.length
    this.#sum = sum
    this.#writing = this.#open.write([bytes], at)
    // Whoever waits for it hears of the failure.
    this.#writing.catch(() => undefined)
  }
  #sumUp(): void {
    if (this.#used === this.#summed) return
    this.#sum = crc32(this.#room.subarray(this.#summed, this.#used), this.#sum)
    this.#summed = this.#used
  }
  /** What was added, written or not. */
  get extents(): readonly Extent[] {
    this.#sumUp()
    return [{ file: this.file, at: this.#start, length: this.at - this.#start, sum: this.#sum }]
  }
  /** Everything is in the file, and with `durable` on the disk. */
  async finish(durable: boolean): Promise<void> {
    await this.#write()
    await this.#writing
    // What failed is left to the collector.
    for (const piece of [this.#held, this.#other]) if (piece !== undefined) spareChunks.give(piece)
    this.#held = this.#other = undefined
    if (durable && !this.#synced) await this.#open.sync()
  }
  /** Nothing is under way any more, whatever became of it. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#writing])
  }
  /** Takes back what was written. */
  async undo(): Promise<void> {
    await this.settled()
    await this.#open.truncate(this.#start)
  }
}
