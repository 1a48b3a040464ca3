import type { TableEdit } from 'mailwright/api'
import { isKeyword, MAX_KEYWORD_BITS } from '../keyword-bits.js'

/** Names of the bits of a keyword mask, as the mailbox spells and orders them. */
export class KeywordBits {
  readonly names: string[]
  readonly #bits = new Map<string, number>()
  constructor(names: readonly string[]) {
    this.names = []
    for (const name of names.slice(0, MAX_KEYWORD_BITS)) this.#push(name)
  }
  #push(name: string): void {
    if (name !== '' && !this.#bits.has(name.toLowerCase())) this.#bits.set(name.toLowerCase(), this.names.length)
    this.names.push(name)
  }
  same(names: readonly string[]): boolean {
    return names.length === this.names.length && names.every((name, i) => name === this.names[i])
  }
  /** Of a mask; bits without a name say nothing. */
  words(mask: number): readonly string[] {
    if (mask === 0) return []
    return this.names.filter((name, bit) => name !== '' && (mask & (1 << bit)) !== 0)
  }
  /** Of words; those that the mailbox does not know are left out. */
  mask(words: readonly string[]): number {
    let mask = 0
    for (const word of words) {
      const bit = this.#bits.get(word.toLowerCase())
      if (bit !== undefined) mask |= 1 << bit
    }
    return mask >>> 0
  }
  has(word: string): boolean {
    return this.#bits.has(word.toLowerCase())
  }
  /** With those of the words that are new, as far as there are bits. */
  with(words: readonly string[]): KeywordBits {
    const fresh = words.filter((word) => !this.has(word) && isKeyword(word))
    return fresh.length === 0 || this.names.length === MAX_KEYWORD_BITS ? this : new KeywordBits([...this.names, ...new Set(fresh)])
  }
  publish(edit: TableEdit, canCreate: boolean): void {
    edit.keywords(
      this.names.filter((name) => name !== ''),
      canCreate && this.names.length < MAX_KEYWORD_BITS,
    )
  }
}
