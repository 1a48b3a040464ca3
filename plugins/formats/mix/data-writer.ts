import type { OpenFile } from 'mailwright/api'
import { crc32 } from 'node:zlib'
import { EarlyWriting } from '../shared/changes/early-writing.js'
import { CHUNK, spareChunks } from '../shared/spare-chunks.js'
import { putDataRecord } from './put-records.js'
import { DATA_OCTETS, type DataRecord } from './records.js'
import type { Extent } from './redo.js'

/** Octets of a piece: so many are gathered in one buffer. */
export const PIECE = CHUNK

/** A data file that is open for writing. */
export interface OpenData {
  /** Its number. */
  readonly file: number
  readonly open: OpenFile
}
/** Where octets go, and how. */
export interface DataPlace {
  readonly at: number
  /** The file is made for them: its name has to be synced. */
  readonly fresh: boolean
  /** How many are expected. */
  readonly octets: number
  /** What is written is on the disk: all goes in one call, since each would wait for it. Otherwise pieces are written as they are full. */
  readonly synced: boolean
  /** It is on the disk at the end, and goes there while more is written. */
  readonly early: boolean
}

/**
 * Writes messages to the end of a data file and sums them up: they are added, then begun with, then finished. They are gathered while the file is being
 * opened, which stays open for the next ones. Whoever gives a writer up calls `undo`, or waits for `settled`.
 */
export class DataWriter {
  readonly #place: DataPlace
  readonly #opening: Promise<OpenData>
  readonly #signal: AbortSignal
  #opened: OpenData | undefined
  /** Octets that are yet to be written: those of many messages go in one piece, since each piece of a write has its price. */
  #held: Buffer<ArrayBuffer> | undefined
  #used = 0
  /** Pieces that are full and go with the held one. */
  readonly #full: Buffer[] = []
  /** The piece before, on its way or written. */
  #other: Buffer<ArrayBuffer> | undefined
  /** All of these. */
  readonly #chunks: Buffer<ArrayBuffer>[] = []
  /** The write under way, or the last one. */
  #writing: Promise<void> | undefined
  #early: EarlyWriting | undefined
  #beginning: Promise<void> | undefined
  #finishing: Promise<void> | undefined
  /** Place of the next octet that is written, and the sum of those before. */
  #at: number
  #sum = 0
  constructor(opening: Promise<OpenData>, place: DataPlace, signal: AbortSignal) {
    this.#opening = opening
    // Whoever waits for it hears of the failure.
    opening.catch(() => undefined)
    this.#place = place
    this.#at = place.at
    this.#signal = signal
  }
  get fresh(): boolean {
    return this.#place.fresh
  }
  get #room(): Buffer<ArrayBuffer> {
    return (this.#held ??= this.#chunk())
  }
  #chunk(): Buffer<ArrayBuffer> {
    const chunk = spareChunks.room(Math.min(this.#place.octets, PIECE))
    this.#chunks.push(chunk)
    return chunk
  }
  /** Place of the next octet. */
  get at(): number {
    return this.#full.reduce((at, piece) => at + piece.length, this.#at + this.#used)
  }
  /** A promise where a piece is full, and has to be handed over before anything else is added. */
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
      if (this.#used === this.#room.length) await this.#handOver()
      const part = bytes.subarray(done, done + this.#room.length - this.#used)
      this.#room.set(part, this.#used)
      this.#used += part.length
      done += part.length
    }
  }
  /** A place for the next octets, as many as asked for, which are to be put there before anything else is asked for. At most a piece. */
  async space(octets: number): Promise<Buffer> {
    if (octets > this.#room.length - this.#used) await this.#handOver()
    const from = this.#used
    this.#used += octets
    return this.#room.subarray(from, this.#used)
  }
  /** Puts octets behind the others that lie elsewhere, and are left alone there until the next call has resolved, or `finish`. */
  async put(bytes: Buffer): Promise<void> {
    if (this.#place.synced) return this.add(bytes)
    await this.#write()
    await this.#writing
    this.#begin([bytes])
  }
  /** The next piece is filled while this one is written, or goes with it. */
  async #handOver(): Promise<void> {
    if (this.#place.synced) {
      this.#full.push(this.#room.subarray(0, this.#used))
      this.#held = undefined
      this.#used = 0
      return
    }
    await this.#write()
    const held = this.#held
    this.#held = this.#other
    this.#other = held
  }
  /** Resolves when the file is open. */
  async ready(): Promise<void> {
    this.#opened ??= await this.#opening
  }
  /** Begins to write what is there: at once, or when the piece before is written. */
  async #write(): Promise<void> {
    if (this.#opened === undefined) await this.ready()
    if (this.#writing !== undefined) await this.#writing
    this.#signal.throwIfAborted()
    if (this.#used === 0) return
    const pieces = [...this.#full.splice(0), this.#room.subarray(0, this.#used)]
    this.#used = 0
    this.#begin(pieces)
  }
  /** They are summed up while they are written. */
  #begin(pieces: readonly Buffer[]): void {
    const to = pieces.reduce((at, piece) => at + piece.length, this.#at)
    if (this.#place.early) this.#early ??= new EarlyWriting(this.#data.open, this.#at)
    this.#writing = this.#data.open.write(pieces, this.#at).then(() => this.#early?.wrote(to))
    // Whoever waits for it hears of the failure.
    this.#writing.catch(() => undefined)
    for (const piece of pieces) {
      this.#at += piece.length
      this.#sum = crc32(piece, this.#sum)
    }
  }
  /** Nothing is added any more; resolves when the last octets are under way. */
  begin(): Promise<void> {
    return (this.#beginning ??= this.#write())
  }
  get #data(): OpenData {
    if (this.#opened === undefined) throw new Error('the data file is not open yet')
    return this.#opened
  }
  /** Number of the file, once it is ready. */
  get file(): number {
    return this.#data.file
  }
  /** What was added, once all of it is under way. */
  get extents(): readonly Extent[] {
    const { at } = this.#place
    return [{ file: this.file, at, length: this.#at - at, sum: this.#sum }]
  }
  /** Resolves when everything is in the file, and with `durable` on the disk. */
  finish(durable: boolean): Promise<void> {
    if (this.#finishing === undefined) {
      this.#finishing = this.#finish(durable)
      this.#finishing.catch(() => undefined)
    }
    return this.#finishing
  }
  async #finish(durable: boolean): Promise<void> {
    await this.begin()
    await this.#writing
    // What failed is left to the collector.
    for (const chunk of this.#chunks.splice(0)) spareChunks.give(chunk)
    this.#held = this.#other = undefined
    if (durable && !this.#place.synced) await this.#data.open.sync()
    await this.#early?.settled()
  }
  /** Nothing is under way any more, whatever became of it. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#opening, this.#beginning, this.#finishing])
    await Promise.allSettled([this.#writing])
    await this.#early?.settled()
  }
  /** Takes back what was written. */
  async undo(): Promise<void> {
    await this.settled()
    const { open } = await this.#opening
    await open.truncate(this.#place.at)
  }
}
