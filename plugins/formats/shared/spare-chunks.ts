/** Octets of a chunk: of one read or write of what is large. */
export const CHUNK = 1 << 20
/** More are not kept; more may be in use. */
const MOST = 8

/**
 * Memory of large reads and writes, used again. With memory that is new the system makes each page at the first touch, which takes several times longer
 * than to write what is in it. What nobody uses is the collector's.
 */
export class SpareChunks {
  readonly #spare: WeakRef<Buffer<ArrayBuffer>>[] = []
  /** The caller's alone until it gives it back, which it need not. What is in it is anything. */
  take(): Buffer<ArrayBuffer> {
    for (let spare = this.#spare.pop(); spare !== undefined; spare = this.#spare.pop()) {
      const chunk = spare.deref()
      if (chunk !== undefined) return chunk
    }
    return Buffer.allocUnsafeSlow(CHUNK)
  }
  /** Once, and only what nobody reads or writes any more; what `take` did not give is left alone. */
  give(chunk: Buffer<ArrayBuffer>): void {
    if (chunk.length === CHUNK && chunk.buffer.byteLength === CHUNK && this.#spare.length < MOST) this.#spare.push(new WeakRef(chunk))
  }
}
/** Those of this thread. */
export const spareChunks = new SpareChunks()
