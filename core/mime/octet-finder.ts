/** ASCII letters lowered, all else as it is. */
const LOWER = Uint8Array.from({ length: 256 }, (_, c) => (c >= 0x41 && c <= 0x5a ? c + 0x20 : c))

/** Looks for octets in others that come in pieces; ASCII letters match in either case, and a match may lie across pieces. */
export class OctetFinder {
  readonly #needle: Buffer
  /** What of the pieces so far may be the beginning of a match. */
  #tail: Buffer = Buffer.alloc(0)
  #found: boolean

  /** Octets that are none are found before the first piece. */
  constructor(wanted: Uint8Array) {
    this.#needle = lowered(wanted)
    this.#found = wanted.length === 0
  }
  get found(): boolean {
    return this.#found
  }
  /** The next piece, which stays the caller's. Returns whether the octets have been found. */
  feed(piece: Uint8Array): boolean {
    if (this.#found) return true
    const text = Buffer.concat([this.#tail, lowered(piece)])
    this.#found = text.includes(this.#needle)
    this.#tail = text.subarray(Math.max(0, text.length - this.#needle.length + 1))
    return this.#found
  }
}
function lowered(octets: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(octets.length)
  for (let i = 0; i < octets.length; i++) out[i] = LOWER[octets[i]!]!
  return out
}
