/** Keywords that formats with a number per message can hold, and octets of the longest. */
export const MAX_KEYWORD_BITS = 30
const LONGEST_KEYWORD = 50
/** RFC 3501 `flag-keyword`, less what ends a list in files of these formats. */
const SPELLING = /^[\x21-\x7e]+$/
const REFUSED = /[*%"\\(){\]]/

/** Whether other programs of the family can hold the keyword. */
export function isKeyword(name: string): boolean {
  return name.length <= LONGEST_KEYWORD && SPELLING.test(name) && !REFUSED.test(name)
}

/** A mailbox's keywords by bit: the first named is bit 0. Letter case says nothing. */
export class KeywordBits {
  readonly names: string[]
  readonly #bits = new Map<string, number>()
  readonly #lists = new Map<number, readonly string[]>()
  constructor(names: readonly string[]) {
    this.names = [...names]
    for (const [bit, name] of names.entries()) if (!this.#bits.has(name.toLowerCase())) this.#bits.set(name.toLowerCase(), bit)
  }
  /** Gives bits to those that have none while there are some left; true when it did. */
  define(words: readonly string[]): boolean {
    let more = false
    for (const word of words) {
      if (this.#bits.has(word.toLowerCase()) || this.names.length >= MAX_KEYWORD_BITS || !isKeyword(word)) continue
      this.#bits.set(word.toLowerCase(), this.names.length)
      this.names.push(word)
      more = true
    }
    return more
  }
  /** Bits of those that have one. */
  mask(words: readonly string[]): number {
    let mask = 0
    for (const word of words) {
      const bit = this.#bits.get(word.toLowerCase())
      if (bit !== undefined && bit < 32) mask |= 1 << bit
    }
    return mask >>> 0
  }
  /** Names of the bits that have one; equal masks give the same list. */
  list(mask: number): readonly string[] {
    let list = this.#lists.get(mask)
    if (list === undefined) this.#lists.set(mask, (list = this.names.filter((_, bit) => bit < 32 && (mask & (1 << bit)) !== 0)))
    return list
  }
  get full(): boolean {
    return this.names.length >= MAX_KEYWORD_BITS
  }
}
