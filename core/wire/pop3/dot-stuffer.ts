const LF = 10
const DOT = 46
const ONE_DOT = Uint8Array.of(DOT)
const LF_DOT = Buffer.from('\n.')

/** Where the octets of an answer go. */
export interface OctetTaker {
  bytes(octets: Uint8Array): unknown
}

/**
 * Doubles the dot at the beginning of a line (RFC 1939 §3), whatever the pieces in which the text comes.
 *
 * A line begins behind every LF, also behind one without CR: readers that split there would otherwise take a dot within such a message
 * for its end, and the rest of it for the server's next answer.
 */
export class DotStuffer {
  readonly #out: OctetTaker
  #lineStart = true

  constructor(out: OctetTaker) {
    this.#out = out
  }

  write(octets: Uint8Array): void {
    if (octets.length === 0) return
    if (this.#lineStart && octets[0] === DOT) this.#out.bytes(ONE_DOT)
    this.#lineStart = octets[octets.length - 1] === LF
    const text = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength)
    let from = 0
    for (let at = text.indexOf(LF_DOT); at >= 0; at = text.indexOf(LF_DOT, at + 1)) {
      this.#out.bytes(octets.subarray(from, at + 1))
      this.#out.bytes(ONE_DOT)
      from = at + 1
    }
    this.#out.bytes(from === 0 ? octets : octets.subarray(from))
  }
}
