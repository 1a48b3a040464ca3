import type { Clock, Link } from '../api/index.js'
import { LinkReader } from '../session/link-reader.js'
import type { Patience } from '../session/link-reader.js'
import { LineFramer } from '../wire/pop3/line-framer.js'
import type { LineFrame } from '../wire/pop3/line-framer.js'
import { LIMITS } from '../wire/limits.js'

const AUTH = /^AUTH /i

/** Longest line by what it begins with: an initial response may be as long as any SASL line (RFC 5034 §4 leaves longer ones to both ends). */
function commandBound(start: Uint8Array): number {
  // Nearly every line is shorter than any bound.
  if (start.length <= LIMITS.pop3Line) return LIMITS.pop3Line
  return AUTH.test(Buffer.from(start.subarray(0, 5)).toString('latin1')) ? LIMITS.saslLine : LIMITS.pop3Line
}

/** Lines from a link. Reads when there is none left, and only then: a session that is busy is not fed. */
export class LineInput implements Disposable {
  readonly framer: LineFramer
  readonly #reader: LinkReader
  readonly #clock: Clock
  readonly #patience: Patience
  readonly #send: () => void
  #answering = false
  #waitingSince: number | undefined
  #interrupted: Error | undefined

  /** @param send hands over what was written, before every wait for the client. */
  constructor(link: Link, clock: Clock, patience: Patience, send: () => void) {
    this.framer = new LineFramer((start) => (this.#answering ? LIMITS.saslLine : commandBound(start)))
    this.#reader = new LinkReader(link, clock, () => this.#reading)
    this.#clock = clock
    this.#patience = patience
    this.#send = send
  }

  /** What the log says of an end within it. */
  get #reading(): string {
    return this.#answering ? 'reading authentication' : 'reading line'
  }
  /** How long the client has been waited for; 0: it is not waited for. */
  idleMs(): number {
    return this.#waitingSince === undefined ? 0 : this.#clock.steady() - this.#waitingSince
  }
  /** The next line; throws EndOfInput at the end, LostWaiting. */
  async next(): Promise<LineFrame> {
    for (;;) {
      const frame = this.framer.next()
      if (frame !== undefined) return frame
      if (this.#interrupted !== undefined) throw this.#interrupted
      this.#send()
      this.#waitingSince = this.#clock.steady()
      let chunk: Uint8Array
      try {
        chunk = await this.#reader.read(this.#patience.waitMs(this.framer.partial), this.#patience.bye)
      } finally {
        this.#waitingSince = undefined
      }
      this.framer.push(chunk)
    }
  }
  /** The answer to a challenge; undefined: too long. */
  async answer(): Promise<Uint8Array | undefined> {
    this.#answering = true
    const frame = await this.next()
    this.#answering = false
    return frame.kind === 'line' ? frame.octets : undefined
  }
  /** Ends the wait for the client, now or when it next begins. */
  interrupt(reason: Error): void {
    this.#interrupted = reason
    this.#reader.interrupt(reason)
  }
  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]()
  }
}
