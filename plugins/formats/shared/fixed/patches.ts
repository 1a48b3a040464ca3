import type { Fields } from './dialect.js'

/** What changes in the fields of one message; all else stays as it stands in the file then. */
export interface Patch {
  readonly i: number
  /** Place of the fields in the file. */
  readonly at: number
  /** Bits of the flags. */
  readonly clear: number
  readonly set: number
  /** Bits of the keywords. */
  readonly clearKeywords: number
  readonly setKeywords: number
  readonly uid: number | undefined
}

/** The same, where nothing that is left out changes. */
export type FieldsChange = Partial<Omit<Patch, 'i' | 'at'>>

const NUMBERS = 7
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
  push(i: number, at: number, { clear = 0, set = 0, clearKeywords = 0, setKeywords = 0, uid = Number.NaN }: FieldsChange): void {
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
    to[first + 4] = clearKeywords
    to[first + 5] = setKeywords
    // NaN when it stays.
    to[first + 6] = uid
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
  /** The fields with it. */
  applied(n: number, { keywords, flags, uid }: Fields): Fields {
    const given = this.#number(n, 6)
    return {
      keywords: ((keywords & ~this.#number(n, 4)) | this.#number(n, 5)) >>> 0,
      flags: (flags & ~this.#number(n, 2)) | this.#number(n, 3),
      uid: Number.isNaN(given) ? uid : given,
    }
  }
  of(n: number): Patch {
    const uid = this.#number(n, 6)
    return {
      i: this.#number(n, 0), at: this.#number(n, 1), clear: this.#number(n, 2), set: this.#number(n, 3),
      clearKeywords: this.#number(n, 4), setKeywords: this.#number(n, 5), uid: Number.isNaN(uid) ? undefined : uid,
    }
  }
}
