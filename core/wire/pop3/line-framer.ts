const LF = 10
const CR = 13
const NOTHING = new Uint8Array(0)

/** One line of a client. */
export type LineFrame = { readonly kind: 'line'; readonly octets: Uint8Array } | { readonly kind: 'too-long' }

/**
 * Lines out of chunks (RFC 1939 §3). A line ends with CRLF; a lone LF counts too. Of a line that is too long one frame is made, and what
 * remains of it is dropped as it comes.
 */
export class LineFramer {
  /** Longest line with its end, asked with its first octets; anything longer is `too-long`. */
  readonly #bound: (start: Uint8Array) => number
  #chunk: Uint8Array = NOTHING
  #at = 0
  /** The beginning of a line that went over the end of the chunks so far. */
  #kept: Uint8Array = NOTHING
  #dropping = false

  constructor(bound: (start: Uint8Array) => number) {
    this.#bound = bound
  }

  /** Something of a line was read, and not its end. */
  get partial(): boolean {
    return this.#dropping || this.#kept.length > 0 || this.#at < this.#chunk.length
  }
  /** Takes the next octets, which stay the giver's until all lines in them were taken. */
  push(chunk: Uint8Array): void {
    this.#chunk = this.#at < this.#chunk.length ? Buffer.concat([this.#chunk.subarray(this.#at), chunk]) : chunk
    this.#at = 0
  }
  /** The next line, as octets of its own; undefined: more input is needed. */
  next(): LineFrame | undefined {
    for (;;) {
      const end = this.#chunk.indexOf(LF, this.#at)
      const part = this.#chunk.subarray(this.#at, end < 0 ? this.#chunk.length : end + 1)
      this.#at += part.length
      if (this.#dropping) {
        if (end < 0) return undefined
        this.#dropping = false
        continue
      }
      const line = this.#kept.length === 0 ? part : Buffer.concat([this.#kept, part])
      const tooLong = line.length > this.#bound(line)
      this.#kept = end < 0 && !tooLong ? new Uint8Array(line) : NOTHING
      if (tooLong) {
        this.#dropping = end < 0
        return { kind: 'too-long' }
      }
      if (end < 0) return undefined
      const stop = line[line.length - 2] === CR ? line.length - 2 : line.length - 1
      return { kind: 'line', octets: new Uint8Array(line.subarray(0, stop)) }
    }
  }
  /** What was read and belongs to no line yet; the framer is empty afterwards. */
  rest(): Uint8Array {
    const rest = Buffer.concat([this.#kept, this.#chunk.subarray(this.#at)])
    this.clear()
    return rest
  }
  clear(): void {
    this.#chunk = this.#kept = NOTHING
    this.#at = 0
    this.#dropping = false
  }
}
