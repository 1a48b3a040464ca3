/** New fields of one message, made of those in the file. */
export interface Patch {
  readonly i: number
  /** Place of the fields in the file. */
  readonly at: number
  /** Bits of the flags. */
  readonly clear: number
  readonly set: number
  /** All of them; undefined: those that it has. */
  readonly keywords: number | undefined
  readonly uid: number | undefined
}

const NUMBERS = 6
const FIRST_ROOM = 16

/** Patches ascending by message, as numbers one after the other: they cross to another thread at once, and cost no object each. */
export class Patches {
  count = 0
  #numbers: Float64Array

  constructor(numbers: Float64Array = new Float64Array(NUMBERS * FIRST_ROOM), count = 0) {
    this.#numbers = numbers
    this.count = count
  }
  /** To be made patches of again where it came to. */
  get values(): Float64Array {
    return this.#numbers.slice(0, NUMBERS * this.count)
  }
  static of(values: Float64Array): Patches {
    return new Patches(values, values.length / NUMBERS)
  }
  push(i: number, at: number, clear: number, set: number, keywords = Number.NaN, uid = Number.NaN): void {
    const first = NUMBERS * this.count++
    if (first === this.#numbers.length) {
      const wider = new Float64Array(2 * first)
      wider.set(this.#numbers)
      this.#numbers = wider
    }
    const to = this.#numbers
    to[first] = i
    to[first + 1] = at
    to[first + 2] = clear
    to[first + 3] = set
    // NaN for what stays.
    to[first + 4] = keywords
    to[first + 5] = uid
  }
  #number(n: number, which: number): number {
    return this.#numbers[NUMBERS * n + which] ?? 0
  }
  messageOf(n: number): number {
    return this.#number(n, 0)
  }
  placeOf(n: number): number {
    return this.#number(n, 1)
  }
  of(n: number): Patch {
    const [keywords, uid] = [this.#number(n, 4), this.#number(n, 5)]
    return {
      i: this.#number(n, 0), at: this.#number(n, 1), clear: this.#number(n, 2), set: this.#number(n, 3),
      keywords: Number.isNaN(keywords) ? undefined : keywords, uid: Number.isNaN(uid) ? undefined : uid,
    }
  }
}
