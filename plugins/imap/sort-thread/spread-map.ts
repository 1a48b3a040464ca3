/** The first keys lie together: a map of so many is laid out anew in less than a millisecond, and hashing a key here costs more than to look it up. */
const FEW = 8192
/** Maps that the others are spread over: with a million of them each has some thousands. */
const PARTS = 256
/** FNV-1a. */
const PRIME = 0x01000193
const HASHES = 2 ** 32

/**
 * A map of very many strings. A plain one is laid out anew at each doubling, which takes a hundred milliseconds for half a million keys, in which nobody
 * has a turn. Here many small ones are, and the largest has twice as many keys as the smallest, so that they are not all due at once.
 */
export class SpreadMap<V> {
  readonly #first = new Map<string, V>()
  #parts: readonly Map<string, V>[] | undefined
  /** Differs, so that nobody can write ids that come into one part. */
  readonly #seed = Math.floor(Math.random() * HASHES)

  get(key: string): V | undefined {
    return this.#mapOf(key).get(key)
  }
  has(key: string): boolean {
    return this.#mapOf(key).has(key)
  }
  set(key: string, value: V): void {
    this.#mapOf(key).set(key, value)
    if (this.#parts === undefined && this.#first.size === FEW) this.#parts = Array.from({ length: PARTS }, () => new Map<string, V>())
  }
  #mapOf(key: string): Map<string, V> {
    const parts = this.#parts
    if (parts === undefined || this.#first.has(key)) return this.#first
    let hash = this.#seed
    for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), PRIME)
    // From 0 to below PARTS, the later the likelier.
    return parts[Math.floor(PARTS * Math.log2(1 + (hash >>> 0) / HASHES))]!
  }
}
