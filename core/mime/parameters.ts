import { MIME_LIMITS } from './limits.js'
import { upperAscii } from './octets.js'
import type { Parameter } from './part.js'

/** What stands for the value of `charset;`, as the original shows it. */
const MISSING_VALUE = 'MISSING_PARAMETER_VALUE'

/** Reads a structured MIME field, unfolded and Latin-1, tolerating what broken programs write (RFC 2045 §5.1, RFC 2183 §2). */
export class FieldReader {
  readonly #text: string
  #at = 0
  constructor(text: string) {
    this.#text = text
  }
  /** Passes white space and comments, nested ones too. */
  skip(): void {
    const text = this.#text
    for (;;) {
      const c = text.charCodeAt(this.#at)
      if (c === 0x20 || c === 0x09 || c === 0x0d || c === 0x0a) this.#at++
      else if (c === 0x28) this.#comment()
      else return
    }
  }
  #comment(): void {
    const text = this.#text
    let depth = 0
    while (this.#at < text.length) {
      const c = text.charCodeAt(this.#at++)
      if (c === 0x5c) this.#at++
      else if (c === 0x28) depth++
      else if (c === 0x29 && --depth === 0) return
    }
  }
  get atEnd(): boolean {
    return this.#at >= this.#text.length
  }
  /** Passes this character if it comes next. */
  take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }
  /** Octets up to white space, a comment or one of `stops`, which are one or two; may be empty. */
  word(stops: string): string {
    const text = this.#text
    const from = this.#at
    while (this.#at < text.length) {
      const c = text.charCodeAt(this.#at)
      if (c === 0x20 || c === 0x09 || c === 0x0d || c === 0x0a || c === 0x28 || c === stops.charCodeAt(0) || c === stops.charCodeAt(1)) break
      this.#at++
    }
    return text.slice(from, this.#at)
  }
  quoted(): string {
    const text = this.#text
    let out = ''
    let from = ++this.#at
    while (this.#at < text.length) {
      const c = text.charCodeAt(this.#at++)
      if (c === 0x22) return out + text.slice(from, this.#at - 1)
      if (c !== 0x5c || this.#at >= text.length) continue
      out += text.slice(from, this.#at - 1)
      from = this.#at++
    }
    return out + text.slice(from, this.#at)
  }
  get isQuote(): boolean {
    return this.#text[this.#at] === '"'
  }
  /** Everything up to `;`. */
  rest(): string {
    const end = this.#text.indexOf(';', this.#at)
    const from = this.#at
    this.#at = end === -1 ? this.#text.length : end
    return this.#text.slice(from, this.#at)
  }
  /** `; name=value` as often as it comes. Names are raised, values stay as written, RFC 2231 forms too. */
  parameters(): readonly Parameter[] {
    const found: Parameter[] = []
    for (;;) {
      this.skip()
      if (this.atEnd || found.length >= MIME_LIMITS.parameters) return found
      if (!this.take(';')) {
        this.rest()
        continue
      }
      this.skip()
      const name = this.word(';=')
      this.skip()
      if (name === '') {
        if (!this.atEnd && !this.take('=')) this.rest()
        continue
      }
      found.push({ name: upperAscii(name), value: this.take('=') ? this.#value() : MISSING_VALUE })
    }
  }
  #value(): string {
    this.skip()
    if (this.isQuote) {
      const value = this.quoted()
      this.rest()
      return value
    }
    const from = this.#at
    const value = this.word(';')
    const end = this.#at
    this.skip()
    if (this.atEnd || this.#text[this.#at] === ';') return value === '' ? MISSING_VALUE : value
    // `name=my file.txt`: not grammar, but what was meant is plain.
    this.#at = end
    this.rest()
    return this.#text.slice(from, this.#at).trimEnd()
  }
}

/** `; name=value` with a token or a quoted string without backslashes, up to the next or the end. */
const PLAIN = /; *([\w*.-]+)=(?:"([^"\\]*)"|([\w*.+:/=?'!#$%&^`{|}~-]+))(?=;|$)/y

/**
 * The parameters from `from` on, where all of them are of the plainest form, as those of nearly all mail: read by one expression, without the reader, which
 * gives the same. Undefined where they are not.
 */
export function plainParameters(text: string, from: number): readonly Parameter[] | undefined {
  const found: Parameter[] = []
  for (let at = from; at < text.length; at = PLAIN.lastIndex) {
    PLAIN.lastIndex = at
    const parameter = PLAIN.exec(text)
    if (parameter === null || found.length >= MIME_LIMITS.parameters) return undefined
    found.push({ name: parameter[1]!.toUpperCase(), value: parameter[2] ?? parameter[3]! })
  }
  return found
}
