import { MIME_LIMITS } from './limits.js'

/**
 * One address structure of RFC 3501 §7.4.2; octets as Latin-1, undefined is NIL. A group begins with `{ mailbox: name }` alone and ends with an
 * empty structure.
 */
export interface Address {
  readonly personal: string | undefined
  readonly route: string | undefined
  readonly mailbox: string | undefined
  readonly host: string | undefined
}

/** What stands for the host of an address without one. */
const MISSING_HOST = '.MISSING-HOST-NAME.'
/** Host of what stands for text that is no address; `mailbox` then says what was wrong. The names are the original's. */
const SYNTAX_ERROR = '.SYNTAX-ERROR.'
const GROUP_END: Address = { personal: undefined, route: undefined, mailbox: undefined, host: undefined }

/**
 * The addresses of a field, unfolded and Latin-1 (RFC 5322 §3.4, with the obsolete forms of its §4.4 and RFC 822's `user at host`).
 * Empty items between commas are passed over. At an error a pseudo address takes the place of the rest of the field.
 */
export function parseAddresses(text: string): Address[] {
  return new AddressReader(text).list()
}

/** What ends an atom without dots: dots, specials, blanks and controls. */
const ENDS_ATOM = new Uint8Array(256).fill(1, 0, 0x21)
for (const special of '.()<>@,;:\\"[]') ENDS_ATOM[special.charCodeAt(0)] = 1
const ESC = 0x1b
const BACKSLASH = 0x5c
const QUOTE = 0x22

class AddressReader {
  readonly #text: string
  #at = 0
  readonly #out: Address[] = []
  /** First comment since the last address began. */
  #comment: string | undefined
  constructor(text: string) {
    this.#text = text
  }

  list(): Address[] {
    this.#items(0)
    return this.#out
  }

  /** Reads up to the end, or within a group up to its `;`. False after an error. */
  #items(depth: number): boolean {
    const suffix = depth > 0 ? '_IN_GROUP' : ''
    for (;;) {
      this.#comment = undefined
      this.#skip()
      if (this.#atEnd) return true
      const c = this.#text[this.#at]
      if (c === ',') {
        this.#at++
        continue
      }
      if (c === ';' && depth > 0) return true
      if (!this.#item(depth, suffix)) return false
      this.#skip()
      if (this.#atEnd) return true
      const next = this.#text[this.#at]
      if (next === ',' || (next === ';' && depth > 0)) continue
      return this.#fail(`UNEXPECTED_DATA_AFTER_ADDRESS${suffix}`)
    }
  }

  #fail(mailbox: string): false {
    this.#out.push({ personal: undefined, route: undefined, mailbox, host: SYNTAX_ERROR })
    return false
  }

  /** An address or a group. */
  #item(depth: number, suffix: string): boolean {
    if (this.#text[this.#at] === '<') return this.#angle(undefined, suffix)
    const start = this.#at
    const phrase = this.#phrase()
    const next = this.#text[this.#at]
    if (phrase !== undefined && next === '<') return this.#angle(phrase, suffix)
    if (phrase !== undefined && next === ':' && depth < MIME_LIMITS.groupDepth) return this.#group(phrase, depth)
    this.#at = start
    this.#comment = undefined
    const local = this.#words()
    if (local === undefined) return this.#fail(`INVALID_ADDRESS${suffix}`)
    const host = this.#host()
    const index = this.#out.length
    this.#out.push(GROUP_END)
    this.#skip()
    this.#out[index] = { personal: this.#comment, route: undefined, mailbox: local, host }
    return true
  }

  #group(name: string, depth: number): boolean {
    this.#at++
    this.#out.push({ personal: undefined, route: undefined, mailbox: name, host: undefined })
    const fine = this.#items(depth + 1)
    this.#out.push(GROUP_END)
    if (fine && this.#text[this.#at] === ';') this.#at++
    return fine
  }

  /** `<@route:local@host>`; the reader stands at `<`. */
  #angle(personal: string | undefined, suffix: string): boolean {
    this.#at++
    this.#skip()
    const route = this.#route()
    const local = this.#words()
    if (local === undefined) return this.#fail(`INVALID_ADDRESS${suffix}`)
    const host = this.#host()
    this.#comment = undefined
    this.#skip()
    const closed = this.#text[this.#at] === '>'
    if (closed) this.#at++
    const index = this.#out.length
    this.#out.push(GROUP_END)
    this.#skip()
    this.#out[index] = { personal: personal ?? this.#comment, route, mailbox: local, host }
    return closed || this.#fail('MISSING_MAILBOX_TERMINATOR')
  }

  /** `@a,@b:` before a local part. */
  #route(): string | undefined {
    const start = this.#at
    const hops: string[] = []
    while (this.#text[this.#at] === '@') {
      this.#at++
      this.#skip()
      const hop = this.#domain()
      if (hop === undefined) break
      hops.push(`@${hop}`)
      this.#skip()
      while (this.#text[this.#at] === ',') {
        this.#at++
        this.#skip()
      }
    }
    if (hops.length > 0 && this.#text[this.#at] === ':') {
      this.#at++
      this.#skip()
      return hops.join(',')
    }
    this.#at = start
    return undefined
  }

  /** What follows a local part: `@host`, the old `at host`, or nothing. */
  #host(): string {
    this.#skip()
    const text = this.#text
    if (text[this.#at] === '@') {
      this.#at++
      this.#skip()
      return this.#domain() ?? SYNTAX_ERROR
    }
    const old = /^at[ \t(]/i.exec(text.slice(this.#at, this.#at + 3))
    if (old !== null) {
      const before = this.#at
      this.#at += 2
      this.#skip()
      const host = this.#domain()
      if (host !== undefined) return host
      this.#at = before
    }
    return MISSING_HOST
  }

  #domain(): string | undefined {
    if (this.#text[this.#at] !== '[') return this.#words()
    const end = this.#text.indexOf(']', this.#at)
    if (end === -1) {
      this.#at = this.#text.length
      return undefined
    }
    const literal = this.#text.slice(this.#at, end + 1)
    this.#at = end + 1
    return literal
  }

  /** Words joined by dots; white space and comments around the dots are dropped. Undefined when there is no word. */
  #words(): string | undefined {
    let out = ''
    let any = false
    for (;;) {
      const word = this.#word()
      if (word !== undefined) {
        out += word
        any = true
      }
      this.#skip()
      if (this.#text[this.#at] !== '.') return any ? out : undefined
      out += '.'
      any = true
      this.#at++
      this.#skip()
    }
  }

  /** Words and dots as people write them before `<` or `:`, unquoted, with one blank where there was white space. */
  #phrase(): string | undefined {
    let out = ''
    let any = false
    for (;;) {
      const before = this.#at
      this.#skip()
      const gap = this.#at > before && any ? ' ' : ''
      if (this.#text[this.#at] === '.') {
        this.#at++
        out += `${gap}.`
        any = true
        continue
      }
      const word = this.#word()
      if (word === undefined) return any ? out : undefined
      out += gap + word
      any = true
    }
  }

  /** A quoted string, unquoted, or an atom without dots; escape sequences of ISO-2022-JP pass as one. */
  #word(): string | undefined {
    const text = this.#text
    if (text[this.#at] === '"') return this.#quoted()
    const from = this.#at
    while (this.#at < text.length) {
      const c = text.charCodeAt(this.#at)
      if (c === ESC) {
        const end = text.indexOf('\x1b(', this.#at + 1)
        this.#at = end === -1 ? text.length : Math.min(text.length, end + 3)
        continue
      }
      if (ENDS_ATOM[c] === 1) break
      this.#at++
    }
    return this.#at === from ? undefined : text.slice(from, this.#at)
  }

  /** Undefined, with the reader where it was, when the string does not end. */
  #quoted(): string | undefined {
    const text = this.#text
    let out = ''
    let from = this.#at + 1
    for (let i = from; i < text.length; i++) {
      const c = text.charCodeAt(i)
      if (c === QUOTE) {
        this.#at = i + 1
        return out + text.slice(from, i)
      }
      if (c !== BACKSLASH || i + 1 >= text.length) continue
      out += text.slice(from, i)
      from = ++i
    }
    return undefined
  }

  /** Passes white space, stray controls and comments; remembers the first comment. */
  #skip(): void {
    const text = this.#text
    while (this.#at < text.length) {
      const c = text.charCodeAt(this.#at)
      if (c === 0x28) this.#readComment()
      else if (c <= 0x20 && c !== ESC) this.#at++
      else return
    }
  }

  #readComment(): void {
    const text = this.#text
    let depth = 0
    let out = ''
    while (this.#at < text.length) {
      const c = text[this.#at++]!
      if (c === '(' && depth++ === 0) continue
      if (c === ')' && --depth === 0) break
      if (c === '\\' && this.#at < text.length) out += text[this.#at++]!
      else out += c
    }
    this.#comment ??= out.trim()
  }

  get #atEnd(): boolean {
    return this.#at >= this.#text.length
  }
}
