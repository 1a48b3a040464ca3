import { RESERVE } from './internal-lines.js'

/** A line for whoever has the mailbox open. */
export interface Notice {
  readonly severity: 'information' | 'warning'
  readonly text: string
}

/** The highest number that was given out under a validity. */
export interface Given {
  readonly validity: number
  readonly last: number
}

/** Another program may have numbered messages meanwhile, but not this many; more is a line that came with the mail. */
const FARTHEST = 100_000

/**
 * Unique identifiers as they are read, message by message. After a number that cannot be right the validity is dropped
 * and every later X-UID of the file is ignored; the last number is kept, so that nothing is given out twice.
 */
export class UidRules {
  validity: number
  /** Highest number given out. */
  last: number
  readonly notices: Notice[] = []
  #previous: number
  #current = 0
  #believing = true
  #known: ((uid: number) => boolean) | undefined
  readonly #given: Given | undefined
  /** Highest number that this server knows of. */
  readonly #remembered: number
  /** Number of the message as a client sees it. */
  #ordinal: number

  /**
   * With `known` this server has given out the numbers before and remembers which: a line that cannot be right, because
   * it came with the mail, is then ignored alone, and does not cost all messages their numbers. `given` is less: nothing is
   * known of the messages, but what was given out is not given again.
   */
  constructor(from: {
    readonly validity: number
    readonly last: number
    readonly previous: number
    readonly count: number
    readonly known?: ((uid: number) => boolean) | undefined
    readonly given?: Given | undefined
  }) {
    this.validity = from.validity
    this.last = from.last
    this.#previous = from.previous
    this.#ordinal = from.count
    this.#known = from.known
    this.#given = from.given
    this.#remembered = from.last
  }

  /** The number that the next warning names. */
  get ordinal(): number {
    return this.#ordinal + 1
  }
  /** Number of the message before. */
  get previous(): number {
    return this.#previous
  }
  warn(text: string): void {
    this.notices.push({ severity: 'warning', text })
  }

  /** The file's own base; what was remembered counts only for the same validity. */
  base(validity: number, last: number): void {
    if (this.#known !== undefined && validity === this.validity) {
      if (last > this.last) this.last = last
      return
    }
    this.#known = undefined
    this.#current = 0
    this.validity = validity
    this.last = this.#given?.validity === validity ? Math.max(last, this.#given.last) : last
  }

  /** An X-UID line of the current message; counts only once a base was seen. */
  claim(uid: number): void {
    if (this.validity === 0 || !this.#believing) return
    if (this.#current !== 0) this.#refuse(`Message ${this.ordinal} UID ${uid} already has UID ${this.#current}`)
    else if (uid > 0xffffffff - RESERVE) this.warn(`Message ${this.ordinal} UID ${uid} was not given out here`)
    else if (uid <= this.#previous) this.#refuse(`Message ${this.ordinal} UID ${uid} less than ${this.#previous + 1}`)
    else if (this.#known !== undefined && !this.#known(uid) && (uid <= this.#remembered || uid - this.last > FARTHEST)) this.warn(`Message ${this.ordinal} UID ${uid} was not given out here`)
    else {
      this.#current = uid
      if (uid > this.last) this.last = uid
    }
  }
  #refuse(text: string): void {
    this.warn(text)
    if (this.#known !== undefined) return
    this.validity = 0
    this.#current = 0
    this.#believing = false
  }

  /** The message's number from the file, 0 when it has none. */
  taken(): number {
    const uid = this.#current
    this.#current = 0
    return uid
  }
  /** The message is counted under this number. */
  settle(uid: number): void {
    this.#previous = uid
    if (uid > this.last) this.last = uid
    this.#ordinal++
  }
  /** A number for a message that has none. */
  next(): number {
    return this.last + 1
  }
}
