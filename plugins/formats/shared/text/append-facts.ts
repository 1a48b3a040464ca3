import { Beginnings, validityAfter } from '../beginnings.js'
import type { FileState } from './stamp.js'

/** What appending to a mailbox that nobody has open needs to know of it. */
export interface Tail {
  readonly state: FileState
  readonly validity: number
  readonly last: number
  /** Every message bears its number in the file, so that one more may. */
  readonly numbered: boolean
}
const KEPT = 256

/** Last seen states of mailboxes that were appended to, so that the next message costs no scan. */
export class AppendFacts {
  readonly #tails = new Map<string, Tail>()
  readonly #beginnings = new Beginnings()
  get(path: string): Tail | undefined {
    return this.#tails.get(path)
  }
  /**
   * UIDVALIDITY of a mailbox that begins: the time in seconds, but above that of another mailbox of this name (renamed, deleted), which may have begun
   * in the same second, and given the same numbers.
   */
  beginning(path: string, seconds: number): number {
    return validityAfter(this.#tails.get(path)?.validity ?? 0, this.#beginnings.after(path, seconds))
  }
  /** As of `Beginnings`. */
  ends(path: string, seconds: number): void {
    this.#beginnings.ends(path, seconds)
  }
  set(path: string, tail: Tail): void {
    this.#tails.delete(path)
    this.#tails.set(path, tail)
    for (const oldest of this.#tails.keys()) {
      if (this.#tails.size <= KEPT) break
      this.#tails.delete(oldest)
    }
  }
}
