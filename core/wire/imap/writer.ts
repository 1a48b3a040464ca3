import { ProtocolAbort } from '../../api/errors.js'
import type { CodecMode, ImapWriter } from '../../api/imap.js'
import type { MessageBytes } from '../../api/mail/message.js'
import type { MailboxName } from '../../api/mail/names.js'
import type { UidSet } from '../../api/mail/uid-set.js'
import { DATE_TIME_OCTETS, writeDateTime } from './dates.js'
import { encodeMailboxName } from './modified-utf7.js'

/** Where replies go. The chunk belongs to the sink; false asks the writer to await `drained` before more. */
export interface OctetSink {
  write(chunk: Uint8Array): boolean
  drained(): Promise<void>
  /** True: nobody looks any more at any chunk that was written, and their memory may be used again. Absent: that is not known. */
  readonly settled?: boolean
}
/** What a session may change about its writer. */
export interface WriterOptions {
  mode: CodecMode
  /** In place, over the octets of message text (not of binary items) on their way out; undefined: nothing is changed. */
  text: ((chunk: Uint8Array) => void) | undefined
  /** Every NUL of message text goes out as 0x80: clients that end a string there lose the rest of the message (FAQ 7.34). */
  nulToEighty: boolean
}

const FIRST_SLAB = 1024
const LARGEST_SLAB = 65_536
/** Room behind what fills a slab of its own, for what ends most replies: the end of their line, and the tagged line. They leave with one call so. */
const TAIL = 256
/** A slab with less room than this is handed over rather than grown into small pieces. */
const SMALL = 32
const QUESTION = 63
const EMPTY_SLAB = new Uint8Array(0)

// What a string may be written as: 1 may stand in an atom, 2 in a quoted string.
const chars = new Uint8Array(256)
for (let c = 0x20; c < 0x7f; c++) if (c !== 0x22 && c !== 0x5c) chars[c] = '(){%* '.includes(String.fromCharCode(c)) ? 2 : 3
const QUOTED_MAX = 1000

/**
 * Writes replies into slabs of its own memory and hands full ones to the sink; `flush` hands over the rest, once per turn.
 * Nothing is allocated per line: a slab is cut, not copied. When it is used up it begins anew where the sink has done with all of it, and is
 * left to the sink otherwise.
 */
export class OctetWriter implements ImapWriter {
  readonly options: WriterOptions
  readonly #sink: OctetSink
  #slab: Uint8Array = EMPTY_SLAB
  /** A slab that was flushed and may be used on, from where nothing was handed over yet; or from its beginning. */
  #kept: { readonly slab: Uint8Array; readonly at: number } | undefined
  /** Written and not handed over: `#from` to `#at`. */
  #from = 0
  #at = 0
  #lineAt = 0
  /** The line that is being written has partly been handed over. */
  #lineSplit = false
  #next = FIRST_SLAB
  #full = false
  #total = 0

  constructor(sink: OctetSink, options: Partial<WriterOptions> = {}) {
    this.#sink = sink
    this.options = { mode: { utf8: false, rev2: false }, text: undefined, nulToEighty: false, ...options }
  }

  /** Octets written since the beginning. */
  get octets(): number {
    return this.#total + this.#at - this.#from
  }
  /** Nothing of an unfinished line was written. */
  get atLineStart(): boolean {
    return !this.#lineSplit && this.#at === this.#lineAt
  }

  /** Text of the protocol or for people: what is no printable ASCII becomes `?`, so that no text can end a line. */
  raw(text: string): this {
    const length = text.length
    const at = this.#room(length)
    const slab = this.#slab
    for (let i = 0; i < length; i++) {
      const c = text.charCodeAt(i)
      slab[at + i] = c >= 0x20 && c < 0x7f ? c : QUESTION
    }
    this.#at = at + length
    return this
  }
  bytes(b: Uint8Array): this {
    if (b.length > LARGEST_SLAB) return this.#large(b)
    const at = this.#room(b.length)
    this.#slab.set(b, at)
    this.#at = at + b.length
    return this
  }
  /** A whole number from 0. */
  number(n: number): this {
    let at = this.#room(20)
    const slab = this.#slab
    if (n < 10) slab[at++] = 48 + n
    else if (n <= 0xffffffff) {
      let digits = 1
      for (let limit = 10; limit <= n; limit *= 10) digits++
      let rest = n >>> 0
      for (let i = at + digits - 1; i >= at; i--) {
        const tenth = (rest / 10) >>> 0
        slab[i] = 48 + rest - tenth * 10
        rest = tenth
      }
      at += digits
    } else for (const digit of String(n)) slab[at++] = digit.charCodeAt(0)
    this.#at = at
    return this
  }
  /** An atom or a flag; as a string when it is neither. */
  atom(a: string): this {
    if (a === String.raw`\*`) return this.raw(a)
    const from = a.startsWith('\\') ? 1 : 0
    if (a.length === from) return this.#ascii(a)
    for (let i = from; i < a.length; i++) if (!isAtomChar(a.charCodeAt(i))) return this.#ascii(a)
    return this.raw(a)
  }
  string(s: Uint8Array): this {
    if (s.length > QUOTED_MAX) return this.#literalOf(s)
    for (const c of s) if (chars[c] === 0) return this.#literalOf(s)
    return this.#quote(s)
  }
  /** NIL for undefined. */
  nstring(s: Uint8Array | undefined): this {
    return s === undefined ? this.raw('NIL') : this.string(s)
  }
  mailbox(name: MailboxName): this {
    if (this.options.mode.utf8) return this.#utf8Name(name)
    const wire = encodeMailboxName(name)
    let plain = wire.length > 0 && wire.toUpperCase() !== 'NIL'
    for (let i = 0; plain && i < wire.length; i++) plain = isAtomChar(wire.charCodeAt(i)) || wire[i] === ']'
    return plain ? this.raw(wire) : this.#ascii(wire)
  }
  set(s: UidSet): this {
    const ranges = s.ranges
    for (let i = 0; i < ranges.length; i += 2) {
      if (i > 0) this.raw(',')
      this.number(ranges[i]!)
      if (ranges[i + 1]! !== ranges[i]!) this.raw(':').number(ranges[i + 1]!)
    }
    return this
  }
  /** `"17-Jul-1996 02:44:25 -0700"`. */
  dateTime(ms: number, zone: number): this {
    const at = this.#room(DATE_TIME_OCTETS + 2)
    this.#slab[at] = 0x22
    writeDateTime(this.#slab, at + 1, ms, zone)
    this.#slab[at + 1 + DATE_TIME_OCTETS] = 0x22
    this.#at = at + DATE_TIME_OCTETS + 2
    return this
  }

  literal(m: MessageBytes, signal: AbortSignal, kind: 'text' | 'binary'): Promise<void> | undefined {
    const inline = m.inline
    if (inline === undefined || inline.length !== m.size) return this.#stream(m, signal, kind)
    this.#head(m.size, kind)
    for (let from = 0; from < inline.length; from += LARGEST_SLAB) {
      const part = inline.length <= LARGEST_SLAB ? inline : inline.subarray(from, from + LARGEST_SLAB)
      const at = this.#room(part.length)
      this.#slab.set(part, at)
      this.#at = at + part.length
      if (kind === 'text') this.#treat(this.#slab, at, this.#at)
    }
    return this.room()
  }

  endLine(): void {
    const at = this.#room(2)
    this.#slab[at] = 13
    this.#slab[at + 1] = 10
    this.#at = this.#lineAt = at + 2
    this.#lineSplit = false
  }
  /** Takes the unfinished line back; false when part of it has left already. */
  dropLine(): boolean {
    if (this.#lineSplit) return false
    this.#at = this.#lineAt
    return true
  }
  room(): Promise<void> | undefined {
    if (!this.#full) return undefined
    return this.#drain()
  }
  /**
   * Hands everything over. Once per turn; without it small replies stay here.
   * @param keep what is left of a large slab, because more of its size is likely to follow; otherwise an idle session keeps none.
   */
  flush(keep = false): void {
    const split = this.#at > this.#lineAt || this.#lineSplit
    if (this.#at > this.#from) this.#hand()
    this.#lineSplit = split
    this.#lineAt = this.#at
    if (!keep) this.#kept = undefined
    if (this.#slab.length <= FIRST_SLAB) return
    // What is written next looks whether the sink has done with it; most often it has by then.
    if (keep) this.#kept = { slab: this.#slab, at: this.#at }
    else this.#next = FIRST_SLAB
    this.#slab = EMPTY_SLAB
    this.#from = this.#at = this.#lineAt = 0
  }

  // ---- strings

  /** Text that is printable ASCII, or was made so, as a quoted string or literal. */
  #ascii(text: string): this {
    return this.string(Buffer.from(text, 'latin1'))
  }
  #utf8Name(name: string): this {
    const octets = Buffer.from(name, 'utf8')
    for (const c of octets) if (c < 32 || c === 127) return this.#literalOf(octets)
    const escapes = name.replaceAll(/["\\]/g, String.raw`\$&`)
    return this.bytes(Buffer.from(`"${escapes}"`, 'utf8'))
  }
  #quote(s: Uint8Array): this {
    const at = this.#room(s.length + 2)
    const slab = this.#slab
    slab[at] = 0x22
    if (s.length < SMALL) for (let i = 0; i < s.length; i++) slab[at + 1 + i] = s[i]!
    else slab.set(s, at + 1)
    slab[at + 1 + s.length] = 0x22
    this.#at = at + s.length + 2
    return this
  }
  #literalOf(s: Uint8Array): this {
    this.#head(s.length, s.includes(0) ? 'binary' : 'text')
    return this.bytes(s)
  }
  #head(size: number, kind: 'text' | 'binary'): void {
    this.raw(kind === 'binary' ? '~{' : '{').number(size)
    const at = this.#room(3)
    this.#slab[at] = 0x7d
    this.#slab[at + 1] = 13
    this.#slab[at + 2] = 10
    this.#at = at + 3
  }

  // ---- literals

  async #stream(m: MessageBytes, signal: AbortSignal, kind: 'text' | 'binary'): Promise<void> {
    // The first octets are read before anything is announced, so that a message that is gone costs no broken literal.
    const first = new Uint8Array(Math.min(m.size, LARGEST_SLAB))
    const got = m.size === 0 ? 0 : await m.read(0, first, signal)
    if (m.size > 0 && got === 0) throw new ProtocolAbort(undefined, 'a message ended before its size')
    this.#head(m.size, kind)
    if (kind === 'text') this.#treat(first, 0, got)
    this.bytes(first.subarray(0, got))
    for (let done = got; done < m.size; ) {
      const wait = this.room()
      if (wait !== undefined) await wait
      const at = this.#room(Math.min(m.size - done, LARGEST_SLAB))
      const slab = this.#slab
      const part = await this.#readOn(m, done, slab.subarray(at, at + Math.min(m.size - done, slab.length - at)), signal)
      if (kind === 'text') this.#treat(slab, at, at + part)
      // Somebody may have flushed while the octets were fetched.
      if (this.#slab === slab && this.#at === at) this.#at = at + part
      else this.bytes(slab.subarray(at, at + part))
      done += part
    }
    const wait = this.room()
    if (wait !== undefined) await wait
  }
  async #readOn(m: MessageBytes, at: number, into: Uint8Array, signal: AbortSignal): Promise<number> {
    let got: number
    try {
      got = await m.read(at, into, signal)
    } catch (cause) {
      throw new ProtocolAbort(undefined, 'a message could not be read to its end after its size was announced', { cause })
    }
    if (got === 0) throw new ProtocolAbort(undefined, 'a message ended before its announced size')
    return got
  }
  #treat(octets: Uint8Array, from: number, to: number): void {
    const { text, nulToEighty } = this.options
    if (nulToEighty) {
      // A Buffer's search is some twenty times as fast as that of a plain array.
      const part = Buffer.from(octets.buffer, octets.byteOffset + from, to - from)
      for (let i = part.indexOf(0); i >= 0; i = part.indexOf(0, i + 1)) part[i] = 0x80
    }
    if (text !== undefined) text(octets.subarray(from, to))
  }

  // ---- slabs

  /** Place of `size` octets in the slab. */
  #room(size: number): number {
    if (this.#slab.length - this.#at < size) this.#renew(size)
    return this.#at
  }
  #renew(size: number): void {
    // A short unfinished line moves to the new slab, so that `dropLine` can still take it back.
    const keep = this.#lineSplit ? this.#at : this.#lineAt
    const pending = this.#at - keep
    const move = pending > 0 && pending + size <= LARGEST_SLAB / 2
    const old = this.#slab
    if (move) this.#at = keep
    else if (pending > 0) this.#lineSplit = true
    if (this.#at > this.#from) this.#hand()
    const needed = size + (move ? pending : 0)
    const begin = this.#take(needed)
    if (move) this.#slab.set(old.subarray(keep, keep + pending), begin)
    this.#from = this.#lineAt = begin
    this.#at = begin + (move ? pending : 0)
  }
  /** A slab with room for this, in place of the one that is used up. Tells where it begins. */
  #take(needed: number): number {
    const kept = this.#kept ?? { slab: this.#slab, at: this.#slab.length }
    this.#kept = undefined
    // A small one gives way to a larger one: how much is written shows only now.
    if (kept.slab.length >= Math.max(needed, Math.min(this.#next, LARGEST_SLAB)) && this.#sink.settled === true) {
      this.#slab = kept.slab
      return 0
    }
    if (kept.slab.length - kept.at >= needed) {
      this.#slab = kept.slab
      return kept.at
    }
    this.#slab = new Uint8Array(Buffer.allocUnsafeSlow(Math.max(needed + TAIL, this.#next)).buffer)
    this.#next = Math.min(LARGEST_SLAB, this.#next * 4)
    return 0
  }
  #hand(): void {
    this.#total += this.#at - this.#from
    if (!this.#sink.write(this.#slab.subarray(this.#from, this.#at))) this.#full = true
    this.#from = this.#at
  }
  #large(b: Uint8Array): this {
    for (let at = 0; at < b.length; at += LARGEST_SLAB) this.bytes(b.subarray(at, at + LARGEST_SLAB))
    return this
  }
  async #drain(): Promise<void> {
    await this.#sink.drained()
    this.#full = false
  }
}

function isAtomChar(c: number): boolean {
  return c < 0x7f && chars[c] === 3 && c !== 0x5d
}
