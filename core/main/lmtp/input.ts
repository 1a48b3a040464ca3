import type { Readable } from 'node:stream'

const CR = 13
const LF = 10
const DOT = 46
/** Octets of the longest command line; RFC 5321 §4.5.3.1.4 has 512, and paths of 256 octets with parameters want more. */
const LONGEST_LINE = 4096
const NOTHING = Buffer.alloc(0)

/** A command line has no end. */
export class LineTooLong extends Error {}
/** The other side said nothing for too long. */
export class Silence extends Error {}
/** This side is told to end, and no message is under way. */
export class Stopping extends Error {}

/** What the other side says: command lines, and the octets of a message after DATA. */
export class LmtpInput {
  readonly #chunks: AsyncIterator<Uint8Array>
  readonly #waitMs: number
  readonly #stopping: AbortSignal
  #have: Buffer = NOTHING
  /** A message is being read, and stands at the beginning of a line. Who stops reading it may go on later. */
  #within = false
  #lineStart = true

  constructor(stream: Readable, waitMs: number, stopping: AbortSignal) {
    this.#waitMs = waitMs
    this.#stopping = stopping
    // A stream without an encoding gives octets.
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
  }
  /** More octets; false at their end. @throws Silence, Stopping */
  async #more(): Promise<boolean> {
    const next = this.#chunks.next()
    // Who waits no longer does not hear how it ended.
    next.catch(() => undefined)
    let giveUp: (why: Error) => void = () => undefined
    const never = new Promise<never>((_, reject) => (giveUp = reject))
    const timer = setTimeout(() => giveUp(new Silence()), this.#waitMs)
    const stop = (): void => {
      if (!this.#within) giveUp(new Stopping())
    }
    this.#stopping.addEventListener('abort', stop, { once: true })
    try {
      const { done, value } = await Promise.race([next, never])
      if (done === true) return false
      this.#have = this.#have.length === 0 ? Buffer.from(value) : Buffer.concat([this.#have, value])
      return true
    } finally {
      clearTimeout(timer)
      this.#stopping.removeEventListener('abort', stop)
    }
  }

  /** A command line without its end, which a lone LF is as well; undefined when there are no more. @throws LineTooLong */
  async line(): Promise<string | undefined> {
    for (;;) {
      const lf = this.#have.indexOf(LF)
      if (lf >= 0 ? lf > LONGEST_LINE : this.#have.length > LONGEST_LINE) throw new LineTooLong()
      if (lf >= 0) {
        const line = this.#have.toString('utf8', 0, lf > 0 && this.#have[lf - 1] === CR ? lf - 1 : lf)
        this.#have = this.#have.subarray(lf + 1)
        return line
      }
      if (!(await this.#more())) return undefined
    }
  }

  /**
   * A message, up to the line of one dot, without the dots in front of dots (RFC 5321 §4.5.2). Only CRLF ends a line: a dot between other line ends is text, so
   * that nobody can slip a second message in.
   * @throws Error when the octets end before the message does
   */
  async *message(): AsyncGenerator<Uint8Array> {
    if (!this.#within) this.#lineStart = true
    this.#within = true
    for (;;) {
      const wanted = this.#lineStart ? 3 : 1
      while (this.#have.length < wanted) if (!(await this.#more())) throw new Error('the connection ended within a message')
      if (this.#lineStart && this.#have[0] === DOT) {
        const ends = this.#have[1] === CR && this.#have[2] === LF
        this.#have = this.#have.subarray(ends ? 3 : 1)
        if (ends) break
      }
      const to = this.#piece()
      if (to === 0) {
        if (!(await this.#more())) throw new Error('the connection ended within a message')
        continue
      }
      const piece = this.#have.subarray(0, to)
      this.#have = this.#have.subarray(to)
      yield piece
    }
    this.#within = false
  }
  /** Octets that can be given out: whole lines up to one that begins with a dot, or what is there of a long one. */
  #piece(): number {
    const end = this.#have.indexOf('\r\n')
    this.#lineStart = end >= 0
    // The last octet may be the first half of a line's end.
    if (end < 0) return this.#have[this.#have.length - 1] === CR ? this.#have.length - 1 : this.#have.length
    let to = end + 2
    for (let next = this.#have.indexOf('\r\n', to); next >= 0 && this.#have[to] !== DOT; next = this.#have.indexOf('\r\n', to)) to = next + 2
    return to
  }
}
