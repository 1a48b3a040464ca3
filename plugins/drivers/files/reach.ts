/** Places in a LIST pattern after what was read so far (RFC 3501 §6.3.8). */
type Places = readonly number[]

function spread(pattern: string, from: Iterable<number>): Places {
  const out = new Set<number>()
  for (let at of from) {
    out.add(at)
    while (pattern[at] === '*' || pattern[at] === '%') out.add(++at)
  }
  return [...out]
}
function step(pattern: string, places: Places, text: string): Places {
  let here = places
  // By units of the string, as the pattern is: letters beyond the first plane have two.
  for (const c of text.split('')) {
    const next = new Set<number>()
    for (const at of here) {
      const p = pattern[at]
      if (p === '*' || (p === '%' && c !== '/')) next.add(at)
      else if (p !== '%' && p === c) next.add(at + 1)
    }
    if (next.size === 0) return []
    here = spread(pattern, next)
  }
  return here
}

/** Patterns as far as they were followed down the tree. */
export class Reach {
  readonly #patterns: readonly string[]
  readonly #places: readonly Places[]
  private constructor(patterns: readonly string[], places: readonly Places[]) {
    this.#patterns = patterns
    this.#places = places
  }
  static of(patterns: readonly string[]): Reach {
    return new Reach(
      patterns,
      patterns.map((p) => spread(p, [0])),
    )
  }
  /** After one more piece of the name. */
  after(text: string): Reach {
    return new Reach(
      this.#patterns,
      this.#places.map((places, i) => step(this.#patterns[i] ?? '', places, text)),
    )
  }
  /** The name so far matches a pattern. */
  get matches(): boolean {
    return this.#places.some((places, i) => places.includes((this.#patterns[i] ?? '').length))
  }
  /** It may match however many more parts it has. */
  get isEndless(): boolean {
    return this.#places.some((places, i) => places.some((at) => this.#patterns[i]?.[at] === '*'))
  }
  /** A longer name may match. */
  get goesOn(): boolean {
    return this.#places.some((places, i) => places.some((at) => at < (this.#patterns[i] ?? '').length))
  }
}
