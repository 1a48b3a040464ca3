import type { OpenFile } from 'mailwright/api'
import { CHUNK, spareChunks } from '../spare-chunks.js'

/** Octets that are read along rather than skipped. */
const NEAR = 1 << 14

/** Octets `from … to` of a file. */
export interface Run {
  readonly from: number
  readonly to: number
}
/** Reads runs of a mailbox file front to back; those that are near each other are in one read, with what lies between them. */
export class NearReader {
  readonly #path: string
  readonly #file: OpenFile
  readonly #runs: readonly Run[]
  /** Of the run that was asked for last. */
  #run = 0
  #room: Buffer<ArrayBuffer> | undefined
  #there = { from: 0, to: 0 }

  constructor(path: string, file: OpenFile, runs: readonly Run[]) {
    this.#path = path
    this.#file = file
    this.#runs = runs
  }
  /** A piece is the reader's, and gone with the next. */
  async *pieces(from: number, to: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for (let at = from; at < to; ) {
      if (at < this.#there.from || at >= this.#there.to) {
        signal.throwIfAborted()
        await this.#read(at)
      }
      const end = Math.min(to, this.#there.to)
      if (this.#room !== undefined) yield this.#room.subarray(at - this.#there.from, end - this.#there.from)
      at = end
    }
  }
  async #read(at: number): Promise<void> {
    this.#room ??= spareChunks.take()
    const got = await this.#file.read(this.#room.subarray(0, this.#reach(at) - at), at)
    if (got === 0) throw new Error(`${this.#path} ended at ${at}`)
    this.#there = { from: at, to: at + got }
  }
  /** How far to read from here. */
  #reach(at: number): number {
    while ((this.#runs[this.#run]?.to ?? Number.POSITIVE_INFINITY) <= at) this.#run++
    let to = at
    for (let i = this.#run; ; i++) {
      const run = this.#runs[i]
      if (run === undefined || to - at >= CHUNK || (i > this.#run && run.from - to > NEAR)) break
      to = run.to
    }
    return Math.min(to, at + CHUNK)
  }
  /** What was read is used no more. */
  release(): void {
    if (this.#room !== undefined) spareChunks.give(this.#room)
    this.#room = undefined
    this.#there = { from: 0, to: 0 }
  }
}
