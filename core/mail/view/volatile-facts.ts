import type { LoadableFacts } from '../registry/mailbox-state.js'

/** Octets kept of one fact of one mailbox; the oldest go first. */
const BOUND = 4 * 1024 * 1024
const OVERHEAD = 128

/** Facts of a mailbox that keeps nothing on the disk. */
export class VolatileFacts implements LoadableFacts {
  readonly #values = new Map<number, Uint8Array>()
  #octets = 0
  get(uid: number): Uint8Array | undefined {
    return this.#values.get(uid)
  }
  all(uids: Uint32Array): (Uint8Array | undefined)[] {
    return Array.from(uids, (uid) => this.#values.get(uid))
  }
  put(uid: number, value: Uint8Array): void {
    this.#drop(uid)
    // A value may be a window of a large buffer; what is kept is the value alone.
    this.#values.set(uid, new Uint8Array(value))
    this.#octets += value.length + OVERHEAD
  }
  #drop(uid: number): void {
    const old = this.#values.get(uid)
    if (old === undefined) return
    this.#values.delete(uid)
    this.#octets -= old.length + OVERHEAD
  }
  load(): Promise<void> {
    // Made room between chunks, never within one: what was just derived must still be there when it is written out.
    for (const uid of this.#values.keys()) {
      if (this.#octets <= BOUND) break
      this.#drop(uid)
    }
    return Promise.resolve()
  }
  flush(): Promise<void> {
    return Promise.resolve()
  }
}
