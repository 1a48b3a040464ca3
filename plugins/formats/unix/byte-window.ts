import type { OpenFile } from 'mailwright/api'

/** A part of a file in memory that slides forward. `bytes[0, length)` are the octets from `start` on. */
export class ByteWindow {
  readonly bytes: Buffer
  start = 0
  length = 0
  /** Nothing of the file lies behind the window. */
  atEnd = false
  readonly #file: OpenFile
  readonly #limit: number

  /** Looks at the file up to `limit` only: what arrives meanwhile is left for the next look. */
  constructor(file: OpenFile, limit: number, capacity: number) {
    this.#file = file
    this.#limit = limit
    this.bytes = Buffer.allocUnsafe(capacity)
  }

  get full(): boolean {
    return this.length === this.bytes.length
  }

  /** Moves to a place in the file; what the window holds of it is kept. */
  async slide(to: number): Promise<void> {
    const skip = to - this.start
    const kept = skip >= 0 && skip < this.length ? this.length - skip : 0
    if (kept > 0 && skip > 0) this.bytes.copyWithin(0, skip, this.length)
    this.start = to
    this.length = kept
    const wanted = Math.min(this.bytes.length, Math.max(0, this.#limit - to))
    while (this.length < wanted) {
      const got = await this.#file.read(this.bytes.subarray(this.length, wanted), this.start + this.length)
      if (got === 0) break
      this.length += got
    }
    this.atEnd = this.length < this.bytes.length || to + this.length >= this.#limit
  }
}
