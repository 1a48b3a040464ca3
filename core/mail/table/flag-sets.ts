import type { FlagChange, FlagSet, FlagSetId } from '../../api/index.js'
import { isFlagKeyword } from './flag-keyword.js'

/** Names and bits in the order in which FLAGS are written. */
const SYSTEM_WIRE: readonly (readonly [number, string])[] = [
  [1, '\\Seen'],
  [2, '\\Deleted'],
  [4, '\\Flagged'],
  [8, '\\Answered'],
  [32, '\\Draft'],
]
/** Every bit that is a flag; drivers' other bits (\Recent, "old") are no flags. */
const SYSTEM_MASK = 1 | 2 | 4 | 8 | 32

const latin = new TextEncoder()

/**
 * The combinations of flags that occur in one mailbox, each made once and never given up: an id is an index. Keywords are one
 * however they are capitalised; the first spelling stays.
 */
export class FlagSets {
  readonly list: FlagSet[] = []
  readonly #ids = new Map<string, number>()
  readonly #keywords = new Map<string, { readonly name: string; readonly at: number }>()
  constructor() {
    this.of(0, [])
  }
  /** The spelling and place of a keyword in this mailbox. */
  keyword(name: string): { readonly name: string; readonly at: number } {
    const lower = name.toLowerCase()
    let known = this.#keywords.get(lower)
    if (known === undefined) {
      known = { name, at: this.#keywords.size }
      this.#keywords.set(lower, known)
    }
    return known
  }
  /** Keywords in their places. */
  get words(): readonly string[] {
    return [...this.#keywords.values()].map((k) => k.name)
  }
  /** Makes kept combinations again, under the same ids; false when that is not possible. */
  restore(words: readonly string[], sets: readonly (readonly [number, readonly string[]])[]): boolean {
    for (const word of words) this.keyword(word)
    return sets.every(([system, keywords], id) => this.of(system, keywords) === id)
  }
  of(system: number, keywords: readonly string[]): FlagSetId {
    const bits = system & SYSTEM_MASK
    let names: readonly { readonly name: string; readonly at: number }[] = []
    if (keywords.length > 0) {
      names = [...new Set(keywords.map((k) => this.keyword(k)))].sort((a, b) => a.at - b.at)
    }
    const key = names.length === 0 ? String(bits) : `${bits} ${names.map((n) => n.at).join(' ')}`
    let id = this.#ids.get(key)
    if (id === undefined) {
      id = this.list.length
      const words = names.map((n) => n.name)
      const wire = SYSTEM_WIRE.filter(([bit]) => (bits & bit) !== 0).map(([, word]) => word)
      this.list.push({ system: bits, keywords: words, wire: latin.encode([...wire, ...words.filter(isFlagKeyword)].join(' ')) })
      this.#ids.set(key, id)
    }
    // An index into `list`, which is what the brand says.
    return id as FlagSetId
  }
  /** What a change makes of each set; computed once per set and change, not per message. */
  changer(change: Pick<FlagChange, 'how' | 'system' | 'keywords'>): (id: number) => FlagSetId {
    const made: (FlagSetId | undefined)[] = []
    const words = new Set(change.keywords.map((k) => this.keyword(k).name))
    const result = (set: FlagSet): FlagSetId => {
      switch (change.how) {
        case 'add':
          return this.of(set.system | change.system, [...set.keywords, ...words])
        case 'remove':
          return this.of(set.system & ~change.system, set.keywords.filter((k) => !words.has(k)))
        case 'replace':
          return this.of(change.system, [...words])
      }
    }
    return (id) => (made[id] ??= result(this.list[id]!))
  }
}
