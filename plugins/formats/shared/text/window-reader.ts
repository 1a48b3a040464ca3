import type { OpenFile } from 'mailwright/api'

/** Reads a file mostly front to back; neighbours come out of one large read. */
export class WindowReader {
  readonly #file: OpenFile
  readonly #ahead: number
  #buffer: Buffer
  #from = 0
  #have = 0
  constructor(file: OpenFile, ahead = 1 << 20) {
    this.#file = file
    this.#ahead = ahead
    this.#buffer = Buffer.allocUnsafe(ahead)
  }
  /** Octets `[from, to)`, fewer at the end of the file; valid until the next call. */
  async bytes(from: number, to: number): Promise<Buffer> {
    if (from < this.#from || to > this.#from + this.#have) {
      if (to - from > this.#buffer.length) this.#buffer = Buffer.allocUnsafe(to - from)
      this.#from = from
      this.#have = await this.#file.read(this.#buffer.subarray(0, Math.max(to - from, Math.min(this.#ahead, this.#buffer.length))), from)
    }
    return this.#buffer.subarray(from - this.#from, Math.min(to - this.#from, this.#have))
  }
  /** The same in pieces, for parts of any length. */
  async *pieces(from: number, to: number): AsyncGenerator<Buffer> {
    for (let at = from; at < to; ) {
      const piece = await this.bytes(at, Math.min(to, at + this.#ahead))
      if (piece.length === 0) throw new Error(`${this.#file.path} ended early`)
      yield piece
      at += piece.length
    }
  }
}
