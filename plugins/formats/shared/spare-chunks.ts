/** Octets of a chunk: of one read or write of what is large. */
export const CHUNK = 1 << 20
/** More are not kept; more may be in use. */
const MOST = 8
/** So little costs nothing to speak of. */
const SMALL = 1 << 16

/**
 * Memory of large reads and writes, used again. With memory that is new the system makes each page at the first touch, which takes several times longer
 * than to write what is in it. What nobody uses is the collector's.
 */
export class SpareChunks {
  readonly #spare: WeakRef<Buffer<ArrayBuffer>>[] = []
  readonly #octets: number
  /** @param octets of each */
  constructor(octets = CHUNK) {
    this.#octets = octets
  }
  /** The caller's alone until it gives it back, which it need not. What is in it is anything. */
  take(): Buffer<ArrayBuffer> {
    for (let spare = this.#spare.pop(); spare !== undefined; spare = this.#spare.pop()) {
      const chunk = spare.deref()
      if (chunk !== undefined) return chunk
    }
    return Buffer.allocUnsafeSlow(this.#octets)
  }
  /** The same for so many octets at least, which are no more than a chunk has; few are new ones. */
  room(octets: number): Buffer<ArrayBuffer> {
    return octets > SMALL ? this.take() : Buffer.allocUnsafe(octets)
  }
  /** Once, and only what nobody reads or writes any more; what is no chunk is left alone. */
  give(chunk: Buffer<ArrayBuffer>): void {
    if (chunk.length === this.#octets && chunk.buffer.byteLength === this.#octets && this.#spare.length < MOST) this.#spare.push(new WeakRef(chunk))
  }
}
/** Those of this thread. */
export const spareChunks = new SpareChunks()
