import { ConnectionLost } from 'mailwright/api'
import type { Clock, Link } from 'mailwright/api'

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

/** What the other side says: command lines, and the octets of a message after DATA and BDAT. */
export class LmtpInput {
  readonly #link: Link
  readonly #clock: Clock
  readonly #waitMs: number
  #have: Buffer = NOTHING
  /** A message is being read, and stands at the beginning of a line. Who stops reading it may go on later. */
  #within = false
  #lineStart = true

  constructor(link: Link, clock: Clock, waitMs: number) {
    this.#link = link
    this.#clock = clock
    this.#waitMs = waitMs
  }
  /** Octets were said that no command has taken. */
  get isAhead(): boolean {
    return this.#have.length > 0
  }
  /** More octets; false at their end. @throws Silence, Stopping, ConnectionLost */
  async #more(): Promise<boolean> {
    const { stopping } = this.#link
    if (stopping?.aborted === true && !this.#within) throw new Stopping()
    let timer: Disposable | undefined
    let stop = (): void => undefined
    try {
      const chunk = await new Promise<Uint8Array | undefined>((resolve, reject) => {
        timer = this.#clock.after(this.#waitMs, () => reject(new Silence()))
        stop = () => {
          if (!this.#within) reject(new Stopping())
        }
        stopping?.addEventListener('abort', stop, { once: true })
        this.#link.read().then(resolve, reject)
      })
      if (chunk === undefined) return false
      // The chunk is the link's again with the next read.
      this.#have = Buffer.concat([this.#have, chunk])
      return true
    } finally {
      timer?.[Symbol.dispose]()
      stopping?.removeEventListener('abort', stop)
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
   * @throws ConnectionLost when the octets end before the message does
   */
  async *message(): AsyncGenerator<Uint8Array> {
    if (!this.#within) this.#lineStart = true
    this.#within = true
    for (;;) {
      const wanted = this.#lineStart ? 3 : 1
      while (this.#have.length < wanted) await this.#mustHaveMore()
      if (this.#lineStart && this.#have[0] === DOT) {
        const ends = this.#have[1] === CR && this.#have[2] === LF
        this.#have = this.#have.subarray(ends ? 3 : 1)
        if (ends) break
      }
      const to = this.#piece()
      if (to === 0) {
        await this.#mustHaveMore()
        continue
      }
      const piece = this.#have.subarray(0, to)
      this.#have = this.#have.subarray(to)
      yield piece
    }
    this.#within = false
  }
  /** So many octets, whatever they are: a chunk of BDAT (RFC 3030 §2). @throws ConnectionLost when they end before */
  async *octets(count: number): AsyncGenerator<Uint8Array> {
    this.#within = true
    for (let left = count; left > 0; ) {
      if (this.#have.length === 0) await this.#mustHaveMore()
      const piece = this.#have.subarray(0, left)
      this.#have = this.#have.subarray(piece.length)
      left -= piece.length
      yield piece
    }
    this.#within = false
  }
  async #mustHaveMore(): Promise<void> {
    if (!(await this.#more())) throw new ConnectionLost('the connection ended within a message')
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
