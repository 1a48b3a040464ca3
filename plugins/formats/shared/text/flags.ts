import type { FlagSetId, TableEdit } from 'mailwright/api'
import { crc32 } from 'node:zlib'
import { isKeyword } from '../keyword-bits.js'
import { BIT } from './internal-lines.js'

/** Keywords that the format's other users can hold. */
const MAX_KEYWORDS = 30
const SYSTEM_BITS = BIT.seen | BIT.deleted | BIT.flagged | BIT.answered | BIT.draft

/** Flags in one number: system bits below, a digest of the keywords above. Tells whether the file must be written, or was. */
export function filedFlags(system: number, keywords: readonly string[]): number {
  if (keywords.length === 0) return system & SYSTEM_BITS
  const names = keywords.map((k) => k.toLowerCase()).sort()
  return ((system & SYSTEM_BITS) | (crc32(names.join(' ')) << 6)) >>> 0
}

/** The mailbox's keywords, as the file spells and orders them. */
export class KeywordTable {
  readonly names: string[]
  readonly #places = new Map<string, number>()
  constructor(names: readonly string[]) {
    this.names = [...names]
    for (const [i, name] of names.entries()) if (name !== '' && !this.#places.has(name.toLowerCase())) this.#places.set(name.toLowerCase(), i)
  }
  /** Those of the words that the mailbox knows, in table order and spelling. */
  known(words: readonly string[]): readonly string[] {
    if (words.length === 0) return words
    const places = new Set<number>()
    for (const word of words) {
      const place = this.#places.get(word.toLowerCase())
      if (place !== undefined) places.add(place)
    }
    return [...places].sort((a, b) => a - b).map((place) => this.names[place] ?? '')
  }
  #isFull(): boolean {
    return this.#places.size >= MAX_KEYWORDS
  }
  /** Whether all of the words that can be keywords here are. */
  has(words: readonly string[]): boolean {
    return words.every((word) => this.#isFull() || !isKeyword(word) || this.#places.has(word.toLowerCase()))
  }
  /** Defines what is missing; true when something was. */
  define(words: readonly string[]): boolean {
    let more = false
    for (const word of words) {
      if (this.#isFull()) break
      if (!isKeyword(word) || this.#places.has(word.toLowerCase())) continue
      this.#places.set(word.toLowerCase(), this.names.length)
      this.names.push(word)
      more = true
    }
    return more
  }
  /** Tells the table of the mailbox. */
  publish(edit: TableEdit, writable: boolean): void {
    const defined = this.names.filter((name) => name !== '')
    edit.keywords(defined, writable && defined.length < MAX_KEYWORDS, MAX_KEYWORDS)
  }
}

/** Flag sets of parsed messages, made once per combination. */
export class FlagReader {
  readonly #edit: TableEdit
  readonly #table: KeywordTable
  readonly #made = new Map<readonly string[], Map<number, { readonly id: FlagSetId; readonly filed: number }>>()
  constructor(edit: TableEdit, table: KeywordTable) {
    this.#edit = edit
    this.#table = table
  }
  /** `words` is told apart by identity: the parser hands out one list per combination. */
  read(bits: number, words: readonly string[]): { readonly id: FlagSetId; readonly filed: number } {
    let bySystem = this.#made.get(words)
    if (bySystem === undefined) this.#made.set(words, (bySystem = new Map()))
    const system = bits & SYSTEM_BITS
    let made = bySystem.get(system)
    if (made === undefined) {
      const keywords = this.#table.known(words)
      bySystem.set(system, (made = { id: this.#edit.flagSet(system, keywords), filed: filedFlags(system, keywords) }))
    }
    return made
  }
}
