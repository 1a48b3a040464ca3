import type { ReadableFile } from '../patient-file.js'

/** Octets of one read: many small messages, or the beginning of a large one. */
const ROOM = 1 << 18

/** A part of a file in memory, moved forward. */
export class FileWindow {
  readonly #file: ReadableFile
  readonly #limit: number
  #buffer = Buffer.allocUnsafe(0)
  #start = 0
  #length = 0

  constructor(file: ReadableFile, limit: number) {
    this.#file = file
    this.#limit = limit
  }
  get buffer(): Buffer {
    return this.#buffer
  }
  /** Index in the buffer of a place in the file. */
  index(at: number): number {
    return at - this.#start
  }
  /** Index behind the last octet in the buffer. */
  get end(): number {
    return this.#length
  }
  /** Whether so many octets from there, or all up to the limit, are in the buffer. */
  covers(at: number, octets: number): boolean {
    return at >= this.#start && Math.min(at + octets, this.#limit) <= this.#start + this.#length
  }
  /** Reads from there on. */
  async move(at: number): Promise<void> {
    const size = Math.min(ROOM, this.#limit - at)
    if (this.#buffer.length < size) this.#buffer = Buffer.allocUnsafe(size)
    this.#length = 0
    this.#start = at
    this.#length = await this.#file.read(this.#buffer.subarray(0, size), at)
  }
}
