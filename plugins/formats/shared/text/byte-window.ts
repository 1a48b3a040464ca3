import type { OpenFile } from 'mailwright/api'
import { lineKernel } from 'mailwright/toolkit'

/** So much of what is in memory is read at once: a way through the pool costs more. */
const AT_ONCE = 1 << 15
/** Below, a plain loop is over before the kernel has its octets. */
const SHORT = 128

/** A part of a file in memory that slides forward. `bytes[0, length)` are the octets from `start` on. */
export class ByteWindow {
  readonly bytes: Buffer
  start = 0
  length = 0
  /** Nothing of the file lies behind the window. */
  atEnd = false
  readonly #file: OpenFile
  readonly #limit: number
  /** Octets of the window that the kernel has. */
  #loaded = 0

  /** Looks at the file up to `limit` only: what arrives meanwhile is left for the next look. */
  constructor(file: OpenFile, limit: number, capacity: number) {
    this.#file = file
    this.#limit = limit
    this.bytes = Buffer.allocUnsafe(capacity)
  }

  get full(): boolean {
    return this.length === this.bytes.length
  }

  /** How often an octet stands in a part of the window. */
  count(from: number, to: number, octet: number): number {
    if (to - from < SHORT) {
      let n = 0
      for (let i = from; i < to; i++) if (this.bytes[i] === octet) n++
      return n
    }
    const kernel = lineKernel()
    // The whole window is loaded once; another window may have used the kernel since.
    if (kernel.holder !== this || this.#loaded < to) {
      kernel.load(this.bytes.subarray(0, this.length))
      kernel.holder = this
      this.#loaded = this.length
    }
    return kernel.count(from, to, octet)
  }

  /** Moves to a place in the file; what the window holds of it is kept. */
  async slide(to: number): Promise<void> {
    this.#loaded = 0
    const skip = to - this.start
    const kept = skip >= 0 && skip < this.length ? this.length - skip : 0
    if (kept > 0 && skip > 0) this.bytes.copyWithin(0, skip, this.length)
    this.start = to
    this.length = kept
    const wanted = Math.min(this.bytes.length, Math.max(0, this.#limit - to))
    while (this.length < wanted) {
      const into = this.bytes.subarray(this.length, wanted)
      const now = into.length <= AT_ONCE ? this.#file.readSomeNow?.(into, this.start + this.length) : undefined
      const got = now ?? (await this.#file.read(into, this.start + this.length))
      if (got === 0) break
      this.length += got
    }
    this.atEnd = this.length < this.bytes.length || to + this.length >= this.#limit
  }
}
