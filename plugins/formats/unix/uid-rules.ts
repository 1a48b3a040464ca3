/** A line for whoever has the mailbox open. */
export interface Notice {
  readonly severity: 'information' | 'warning'
  readonly text: string
}

/**
 * Unique identifiers as they are read, message by message. After a number that cannot be right the validity is dropped
 * and every later X-UID of the file is ignored; the last number is kept, so that nothing is given out twice.
 */
export class UidRules {
  validity: number
  /** Highest number given out. */
  last: number
  /** Some message got a number that the file does not say, or `last` was raised. */
  renumbered = false
  readonly notices: Notice[] = []
  #previous: number
  #current = 0
  #believing = true
  /** Number of the message as a client sees it. */
  #ordinal: number

  constructor(from: { readonly validity: number; readonly last: number; readonly previous: number; readonly count: number }) {
    this.validity = from.validity
    this.last = from.last
    this.#previous = from.previous
    this.#ordinal = from.count
  }

  /** The number that the next warning names. */
  get ordinal(): number {
    return this.#ordinal + 1
  }
  warn(text: string): void {
    this.notices.push({ severity: 'warning', text })
  }

  /** An X-UID line of the current message; counts only once a base was seen. */
  claim(uid: number): void {
    if (this.validity === 0 || !this.#believing) return
    if (this.#current !== 0) this.#drop(`Message ${this.ordinal} UID ${uid} already has UID ${this.#current}`)
    else if (uid <= this.#previous) this.#drop(`Message ${this.ordinal} UID ${uid} less than ${this.#previous + 1}`)
    else {
      this.#current = uid
      if (uid > this.last) {
        this.last = uid
        this.renumbered = true
      }
    }
  }
  #drop(text: string): void {
    this.warn(text)
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
    this.renumbered = true
    return this.last + 1
  }
}
