import { MailboxNameFailure, SyntaxFailure } from '../../api/errors.js'
import type { CodecMode, ImapCursor } from '../../api/imap.js'
import type { MailboxName } from '../../api/mail/names.js'
import type { SequenceSet } from '../../api/session.js'
import { LIMITS } from '../limits.js'
import { parseDateTime, parseDay } from './dates.js'
import type { ZonedTime } from './dates.js'
import { FlagCollector } from './flags.js'
import type { FlagList } from './flags.js'
import { decodeMailboxName } from './modified-utf7.js'
import { parseSequenceSet } from './sequence-set.js'
import { latin1 } from './words.js'

const SP = 32
const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN = 0x28
const CLOSE = 0x29
const BRACE = 0x7b
const TILDE = 0x7e

// What octets may stand where (RFC 3501 §9).
const ATOM = 1
const ASTRING = 2
const LIST_CHAR = 4
const chars = new Uint8Array(256)
for (let c = 0x21; c < 0x7f; c++) {
  const special = '(){%*"\\]'.includes(String.fromCharCode(c))
  if (!special) chars[c] = ATOM | ASTRING | LIST_CHAR
}
chars[0x5d] = ASTRING | LIST_CHAR
chars[0x25] = chars[0x2a] = LIST_CHAR
// The original takes 8-bit octets in patterns, and some clients send their names so.
for (let c = 0x80; c < 0x100; c++) chars[c] = LIST_CHAR

const PLAIN_MODE: CodecMode = { utf8: false, rev2: false }
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads the arguments of one command from the octets of its frame. Strings are copied, so that a request may keep them;
 * everything else is a value. What does not fit throws SyntaxFailure with the octet where reading stopped.
 */
export class OctetCursor implements ImapCursor {
  readonly mode: CodecMode
  readonly #octets: Uint8Array
  #at: number
  #depth = 0

  constructor(octets: Uint8Array, mode: CodecMode = PLAIN_MODE, at = 0) {
    this.#octets = octets
    this.mode = mode
    this.#at = at
  }

  /** Octets read so far. */
  get position(): number {
    return this.#at
  }
  fail(expected: string): never {
    throw new SyntaxFailure(this.#at, expected)
  }
  /** One space; more are passed over, as the original does. */
  space(): void {
    if (this.#octets[this.#at] !== SP) this.fail('a space')
    do this.#at++
    while (this.#octets[this.#at] === SP)
  }
  atEnd(): boolean {
    return this.#at >= this.#octets.length
  }
  /** Spaces before the end of the line are no argument. */
  end(): void {
    while (this.#octets[this.#at] === SP) this.#at++
    if (!this.atEnd()) this.fail('the end of the command')
  }
  /** The next octet, -1 at the end. */
  peek(): number {
    return this.#octets[this.#at] ?? -1
  }
  take(octet: number): boolean {
    if (this.#octets[this.#at] !== octet) return false
    this.#at++
    return true
  }
  /** The octet that must stand here. */
  expect(octet: number): void {
    if (!this.take(octet)) this.fail(`"${String.fromCharCode(octet)}"`)
  }

  atom(): string {
    return this.#word(ATOM, 'an atom')
  }
  /** Atom characters up to one of `stops`, in upper case: names that end in `[`, `.` or `(`. */
  nameUpTo(stops: string): string {
    const from = this.#at
    while (chars[this.peek()] !== undefined && (chars[this.peek()]! & ATOM) !== 0 && !stops.includes(String.fromCharCode(this.peek()))) this.#at++
    if (this.#at === from) this.fail('a name')
    return latin1(this.#octets, from, this.#at).toUpperCase()
  }
  tryWord(word: string): boolean {
    const end = this.#at + word.length
    if (end > this.#octets.length) return false
    for (let i = 0; i < word.length; i++) {
      if (upper(this.#octets[this.#at + i]!) !== upper(word.charCodeAt(i))) return false
    }
    if (end < this.#octets.length && (chars[this.#octets[end]!]! & ATOM) !== 0) return false
    this.#at = end
    return true
  }

  astring(): Uint8Array {
    if (isStringStart(this.peek())) return this.string()
    const from = this.#at
    this.#skip(ASTRING, 'an atom or a string')
    return copied(this.#octets, from, this.#at)
  }
  string(): Uint8Array {
    const c = this.peek()
    if (c === QUOTE) return this.#quoted()
    if (c === BRACE || c === TILDE) return this.#literal()
    return this.fail('a string')
  }
  nstring(): Uint8Array | undefined {
    return this.tryWord('NIL') ? undefined : this.string()
  }
  mailbox(): MailboxName {
    const from = this.#at
    const octets = this.astring()
    if (octets.length > LIMITS.remoteMailboxName) throw new MailboxNameFailure(from, 'mailbox name too long')
    return this.#name(octets, from)
  }
  /** A mailbox name with wildcards (RFC 3501 §9 "list-mailbox"), decoded where it is well formed. */
  pattern(): string {
    const from = this.#at
    if (isStringStart(this.peek())) return this.#pattern(this.string())
    this.#skip(LIST_CHAR, 'a mailbox name or pattern')
    return this.#pattern(this.#octets.subarray(from, this.#at))
  }

  number(): number {
    const n = this.largeNumber()
    return n > 0xffffffff ? this.fail('a number below 4294967296') : n
  }
  /** A number that does not begin with 0 (RFC 3501 §9, "nz-number"). */
  nzNumber(): number {
    return this.peek() === 48 ? this.fail('a number above 0') : this.number()
  }
  largeNumber(): number {
    const from = this.#at
    let n = 0
    for (let c = this.peek(); c >= 48 && c <= 57; c = this.peek()) {
      n = n * 10 + c - 48
      this.#at++
    }
    if (this.#at === from) this.fail('a number')
    return Math.min(n, Number.MAX_SAFE_INTEGER)
  }
  set(): SequenceSet {
    const parsed = parseSequenceSet(this.#octets, this.#at)
    if ('expected' in parsed) throw new SyntaxFailure(parsed.at, parsed.expected)
    this.#at = parsed.end
    return parsed.set
  }

  list<T>(one: (c: ImapCursor) => T): readonly T[] {
    if (this.peek() !== OPEN) this.fail('"("')
    if (++this.#depth > LIMITS.listNesting) this.fail(`at most ${LIMITS.listNesting} levels of parentheses`)
    this.#at++
    const items: T[] = []
    if (!this.take(CLOSE)) {
      for (;;) {
        items.push(one(this))
        if (this.take(CLOSE)) break
        if (this.peek() !== SP) this.fail('")"')
        this.space()
        // `(a b )` is no list, but clients send it.
        if (this.take(CLOSE)) break
      }
    }
    this.#depth--
    return items
  }
  /** `(\Seen $Label1)`, or with `bare` also the same without parentheses (RFC 3501 §6.4.6). */
  flags(bare = false): FlagList {
    const flags = new FlagCollector()
    let count = 0
    const one = (): void => {
      if (++count > LIMITS.flags) this.fail(`at most ${LIMITS.flags} flags`)
      flags.add(this.flag())
    }
    if (this.peek() === OPEN) this.list(one)
    else if (bare) {
      one()
      while (this.peek() === SP) {
        this.space()
        if (this.atEnd()) break
        one()
      }
    } else this.fail('a list of flags')
    return flags.done()
  }
  flag(): string {
    const prefix = this.take(BACKSLASH) ? '\\' : ''
    return prefix + this.#word(ATOM, 'a flag')
  }
  /** A day of a search (RFC 3501 §9 "date"), quoted or not: days since 1970-01-01. */
  date(): number {
    const at = this.#at
    const text = this.peek() === QUOTE ? latin1Of(this.#quoted()) : this.atom()
    return parseDay(text) ?? this.#failAt(at, 'a date such as 1-Feb-1994')
  }
  /** A quoted date-time (APPEND). */
  dateTime(): ZonedTime {
    const at = this.#at
    if (this.peek() !== QUOTE) this.fail('a quoted date')
    return parseDateTime(latin1Of(this.#quoted())) ?? this.#failAt(at, 'a date such as " 1-Feb-1994 02:44:25 -0700"')
  }

  #failAt(at: number, expected: string): never {
    throw new SyntaxFailure(at, expected)
  }
  #skip(kind: number, expected: string): void {
    const octets = this.#octets
    const from = this.#at
    while (this.#at < octets.length && (chars[octets[this.#at]!]! & kind) !== 0) this.#at++
    if (this.#at === from) this.fail(expected)
  }
  #word(kind: number, expected: string): string {
    const from = this.#at
    this.#skip(kind, expected)
    return latin1(this.#octets, from, this.#at)
  }
  #quoted(): Uint8Array {
    const octets = this.#octets
    const from = this.#at + 1
    let at = from
    let escapes = 0
    for (; ; at++) {
      const c = octets[at]
      if (c === QUOTE) break
      if (c === BACKSLASH) {
        const next = octets[at + 1]
        if (next !== QUOTE && next !== BACKSLASH) return this.#failAt(at, 'an escaped quote or backslash')
        escapes++
        at++
      } else if (c === undefined || c === 0 || c === 10 || c === 13) return this.#failAt(at, 'the end of a quoted string')
      else if (c > 127 && !this.mode.utf8) return this.#failAt(at, 'a quoted string without 8-bit octets')
    }
    this.#at = at + 1
    if (escapes === 0) return copied(octets, from, at)
    const plain = new Uint8Array(at - from - escapes)
    for (let i = from, o = 0; i < at; i++) plain[o++] = octets[i] === BACKSLASH ? octets[++i]! : octets[i]!
    return plain
  }
  #literal(): Uint8Array {
    const octets = this.#octets
    let at = this.#at
    if (octets[at] === TILDE) at++
    if (octets[at++] !== BRACE) this.fail('a literal')
    let size = 0
    const digits = at
    for (; octets[at]! >= 48 && octets[at]! <= 57; at++) size = size * 10 + octets[at]! - 48
    if (at === digits) this.fail('the size of a literal')
    if (octets[at] === 0x2b) at++
    if (octets[at++] !== 0x7d) this.fail('the end of a literal\'s size')
    if (octets[at] === 13) at++
    if (octets[at++] !== 10 || at + size > octets.length) this.fail('the octets of a literal')
    this.#at = at + size
    return copied(octets, at, at + size)
  }
  #name(octets: Uint8Array, from: number): MailboxName {
    let name: string | undefined
    if (this.mode.utf8) name = utf8Name(octets) ?? this.#badName(from, 'mailbox name with invalid UTF-8')
    else {
      const decoded = decodeMailboxName(octets)
      name = decoded.problem === undefined ? decoded.name : this.#badName(from, decoded.problem)
    }
    return (name.length === 5 && name.toUpperCase() === 'INBOX' ? 'INBOX' : name) as MailboxName
  }
  #badName(from: number, reason: string): never {
    throw new MailboxNameFailure(from, reason)
  }
  #pattern(octets: Uint8Array): string {
    if (this.mode.utf8) return utf8Name(octets) ?? this.#failAt(this.#at, 'a pattern in UTF-8')
    const decoded = decodeMailboxName(octets)
    if (decoded.problem === undefined) return decoded.name
    return utf8Name(octets) ?? Buffer.from(octets).toString('latin1')
  }
}

/** Not `slice`, which is a view where the octets are a Buffer. */
function copied(octets: Uint8Array, from: number, to: number): Uint8Array {
  return new Uint8Array(octets.subarray(from, to))
}
function isStringStart(c: number): boolean {
  return c === QUOTE || c === BRACE
}
function upper(c: number): number {
  return c >= 97 && c <= 122 ? c - 32 : c
}
function latin1Of(octets: Uint8Array): string {
  return latin1(octets, 0, octets.length)
}
function utf8Name(octets: Uint8Array): string | undefined {
  for (const c of octets) if (c < 32 || c === 127) return undefined
  try {
    return utf8.decode(octets)
  } catch {
    return undefined
  }
}
