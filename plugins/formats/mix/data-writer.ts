import type { OpenFile } from 'mailwright/api'
import { crc32 } from 'node:zlib'
import type { Extent } from './redo.js'

/** Octets are gathered into pieces of this size. */
const PIECE = 1 << 18

/** Writes messages to the end of a data file and sums them up. The file stays open for the next ones. */
export class DataWriter {
  readonly file: number
  /** The file was made for it: its name has to be synced. */
  readonly fresh: boolean
  readonly #open: OpenFile
  readonly #start: number
  readonly #signal: AbortSignal
  #at: number
  #sum = 0
  #waiting: Uint8Array[] = []
  #octets = 0
  constructor(open: OpenFile, file: number, at: number, fresh: boolean, signal: AbortSignal) {
    this.#open = open
    this.file = file
    this.fresh = fresh
    this.#start = at
    this.#at = at
    this.#signal = signal
  }
  /** Place of the next octet. */
  get at(): number {
    return this.#at + this.#octets
  }
  async add(bytes: Uint8Array): Promise<void> {
    this.#waiting.push(bytes)
    this.#octets += bytes.length
    this.#sum = crc32(bytes, this.#sum)
    if (this.#octets >= PIECE) await this.flush()
  }
  async flush(): Promise<void> {
    this.#signal.throwIfAborted()
    if (this.#octets === 0) return
    await this.#open.write(this.#waiting, this.#at)
    this.#at += this.#octets
    this.#waiting = []
    this.#octets = 0
  }
  /** What was added, written or not. */
  get extents(): readonly Extent[] {
    return [{ file: this.file, at: this.#start, length: this.at - this.#start, sum: this.#sum }]
  }
  /** Everything is in the file, and with `durable` on the disk. */
  async finish(durable: boolean): Promise<void> {
    await this.flush()
    if (durable) await this.#open.sync()
  }
  /** Takes back what was written. */
  async undo(): Promise<void> {
    await this.#open.truncate(this.#start)
  }
}
