import { fromLatin1, latin1 } from './octets.js'

/** Texts that one memo keeps, twice over. */
const ROOM = 1024
/** Longer ones (characters) come once. */
const LONGEST = 200

/**
 * What was made of texts lately. Senders, recipients and types of content are the same in many messages, and a map finds what was made of one in less time
 * than it takes to read it, most of all in a process that has just begun. Bounded: when it is full, what was not asked for since it was last full goes.
 */
export class Memo<T> {
  readonly #make: (text: string) => T
  readonly #longest: number
  #lately = new Map<string, T>()
  #before = new Map<string, T>()
  /** What is made must not change, nor hold on to the text. */
  constructor(make: (text: string) => T, longest = LONGEST) {
    this.#make = make
    this.#longest = longest
  }
  of(text: string): T {
    const known = this.#lately.get(text)
    if (known !== undefined) return known
    if (text.length > this.#longest) return this.#make(text)
    const own = lone(text)
    const value = this.#before.get(own) ?? this.#make(own)
    if (this.#lately.size >= ROOM) {
      this.#before = this.#lately
      this.#lately = new Map()
    }
    this.#lately.set(own, value)
    return value
  }
}

/** A copy: a piece of a string holds the whole of it in memory. */
export function lone(text: string): string {
  return latin1(fromLatin1(text))
}
