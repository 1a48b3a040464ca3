import type { Clock } from 'mailwright/api'

/** Octets to be read at once when messages are asked for one by one, in their order. */
export const ALONG = 1 << 17
/** How far behind a message the next one may stand. */
const NEAR = 1 << 14
/** A client that goes from message to message asks again sooner. */
const KEPT_MS = 5000

interface Octets {
  readonly file: number
  readonly from: number
  readonly bytes: Buffer
}

/**
 * What was read of a data file beyond a message, for the client that asks for one after the other: whole messages that the rows knew, read under the
 * lock of readers. A message under its number never changes, so the record in front of it says that it is the one wanted, wherever the file's messages
 * went since.
 */
export class ReadAlong {
  readonly #clock: Clock
  #kept: Octets | undefined
  #timer: Disposable | undefined
  /** Where the last message that was asked for alone ended. */
  #lastFile = -1
  #lastEnd = -1
  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Octets of a message, where they were read along; valid for as long as the caller wants. */
  find(file: number, at: number, octets: number): Buffer | undefined {
    const kept = this.#kept
    if (kept?.file !== file || at < kept.from || at + octets > kept.from + kept.bytes.length) return undefined
    this.#asked(file, at + octets)
    return kept.bytes.subarray(at - kept.from, at - kept.from + octets)
  }
  /** Whether a message follows the one that was asked for before. */
  follows(file: number, at: number, octets: number): boolean {
    const follows = file === this.#lastFile && at >= this.#lastEnd && at - this.#lastEnd <= NEAR
    this.#asked(file, at + octets)
    return follows
  }
  /** `bytes` are the caller's no more. */
  keep(file: number, from: number, bytes: Buffer): void {
    this.forget()
    const kept = (this.#kept = { file, from, bytes })
    this.#timer = this.#clock.after(KEPT_MS, () => {
      if (this.#kept === kept) this.forget()
    })
  }
  /** Numbers may mean other messages from now on, or nobody reads any more. */
  forget(): void {
    this.#kept = undefined
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
  }
  #asked(file: number, end: number): void {
    this.#lastFile = file
    this.#lastEnd = end
  }
}
