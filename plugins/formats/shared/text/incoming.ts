import { DELIMITING, separatorOf, type TextDialect } from './dialect.js'
import { isFromLine, startsWithFrom } from './from-line.js'
import { INTERNAL, internalLine } from './internal-lines.js'

const LF = 10
const CR = 13
const QUOTE = Buffer.from('>')
const LINE_OF_FROM = Buffer.from('\nFrom ')
const PREFIX = Buffer.from('X-Original-')
/** Lines longer than this are stored piece by piece. */
const LONGEST_LINE = 1 << 16

/** What is written around the message's own octets. */
export interface Envelope {
  /** With its LF. */
  readonly fromLine: string
  /** Internal lines directly after the From line; empty when they follow the header. */
  readonly before: string
  readonly after: string
}

/**
 * Turns a message as it arrives into the octets of the file: LF line ends, no CR, NUL as 0x80, From lines quoted, or no
 * delimiter in it, header lines with internal names renamed, internal lines in their place, a line end at the end and what separates.
 * Chunks may be cut anywhere.
 */
export class IncomingMessage {
  /** Octets so far: delimiter, From line and header with empty line, text without separator. */
  head = 0
  text = 0
  /** CRLF octets as a client will see them: header with empty line, text. */
  visibleHeader = 0
  visibleText = 0
  readonly #envelope: Envelope
  readonly #dialect: TextDialect
  readonly #quoting: 'all' | 'header-only' | 'none'
  /** Octets of a delimiter that came one behind the other; one more would make them look like one. */
  #delimiting = 0
  #inHeader = true
  #lineStart = true
  #carry: Buffer = Buffer.alloc(0)

  constructor(dialect: TextDialect, envelope: Envelope, quoting: 'all' | 'header-only') {
    this.#dialect = dialect
    this.#envelope = envelope
    this.#quoting = dialect.delimiter === '' ? quoting : 'none'
  }

  /** What comes before the first octet. */
  start(): Buffer {
    const out = Buffer.from(this.#dialect.delimiter + this.#envelope.fromLine + this.#envelope.before, 'latin1')
    this.head = out.length
    return out
  }
  add(chunk: Uint8Array): Buffer {
    // Cleaned before it is cut, since the cut must not fall into the first octets of a line.
    const { octets, lines } = this.#clean(chunk)
    const data = this.#carry.length === 0 ? octets : Buffer.concat([this.#carry, octets])
    const lf = data.lastIndexOf(LF)
    let end = lf + 1
    if (end === 0 && data.length >= LONGEST_LINE) end = data.length
    this.#carry = Buffer.from(data.subarray(end))
    // Whatever line end came is before the cut.
    return this.#convert(data.subarray(0, end), lines)
  }
  /** The last line, the end of the header if it never came, and the separator. */
  finish(): Buffer {
    const parts = [this.#convert(this.#carry, 0)]
    if (!this.#lineStart) parts.push(this.#own('\n', 2))
    if (this.#inHeader) parts.push(this.#endHeader())
    parts.push(Buffer.from(separatorOf(this.#dialect), 'latin1'))
    return Buffer.concat(parts)
  }
  #own(text: string, visible: number): Buffer {
    const bytes = Buffer.from(text, 'latin1')
    if (this.#inHeader) {
      this.head += bytes.length
      this.visibleHeader += visible
    } else {
      this.text += bytes.length
      this.visibleText += visible
    }
    this.#lineStart = true
    return bytes
  }
  #endHeader(): Buffer {
    const bytes = this.#own(`${this.#envelope.after}\n`, 2)
    this.#inHeader = false
    return bytes
  }

  /** Whether one more such octet is to be left out. */
  #wouldDelimit(): boolean {
    const { delimiter } = this.#dialect
    // The line end is the last of its octets.
    if (delimiter === '' || this.#delimiting < delimiter.length - 2) {
      this.#delimiting++
      return false
    }
    return true
  }
  /** The octets as they will stand in the file, and how many lines end in them. What a line is, is judged by these alone: an octet that is left out would hide it. */
  #clean(data: Uint8Array): { readonly octets: Buffer; readonly lines: number } {
    const octets = Buffer.allocUnsafe(data.length)
    let to = 0
    let lines = 0
    const given = Buffer.from(data.buffer, data.byteOffset, data.length)
    if (!given.includes(0) && !given.includes(DELIMITING)) {
      // Nearly all that comes.
      for (let i = 0; i < given.length; i++) {
        const c = given[i] ?? 0
        octets[to] = c
        if (c !== CR) to++
        if (c === LF) lines++
      }
      if (to > 0) this.#delimiting = 0
      return { octets: octets.subarray(0, to), lines }
    }
    for (let i = 0; i < data.length; i++) {
      const c = data[i] ?? 0
      if (c === CR || (c === DELIMITING && this.#wouldDelimit())) continue
      if (c !== DELIMITING) this.#delimiting = 0
      if (c === LF) lines++
      octets[to++] = c === 0 ? 0x80 : c
    }
    return { octets: octets.subarray(0, to), lines }
  }
  /** Whole lines, or a piece of a very long one. */
  #convert(octets: Buffer, lines: number): Buffer {
    let at = 0
    let left = lines
    const parts: Uint8Array[] = []
    while (this.#inHeader && at < octets.length) {
      const lf = octets.indexOf(LF, at)
      const end = lf < 0 ? octets.length : lf + 1
      if (lf >= 0) left--
      if (this.#lineStart && lf === at) parts.push(this.#endHeader())
      else this.#headerLine(octets, at, end, parts)
      at = end
    }
    if (at < octets.length) this.#body(octets, at, left, parts)
    const [only] = parts
    return parts.length === 1 && only !== undefined ? Buffer.from(only.buffer, only.byteOffset, only.length) : Buffer.concat(parts)
  }
  #headerLine(octets: Buffer, start: number, end: number, parts: Uint8Array[]): void {
    let length = end - start
    if (this.#lineStart) {
      const mark = internalLine(octets, start, end) !== INTERNAL.none ? PREFIX : this.#mustQuote(octets, start) ? QUOTE : undefined
      if (mark !== undefined) {
        parts.push(mark)
        length += mark.length
      }
    }
    parts.push(octets.subarray(start, end))
    this.#lineStart = octets[end - 1] === LF
    this.head += length
    this.visibleHeader += length + (this.#lineStart ? 1 : 0)
  }
  #mustQuote(octets: Buffer, start: number): boolean {
    if (this.#quoting === 'none' || !startsWithFrom(octets, start)) return false
    if (this.#quoting === 'all') return true
    const lf = octets.indexOf(LF, start)
    return isFromLine(octets, start, lf < 0 ? octets.length : lf)
  }
  #body(octets: Buffer, start: number, lines: number, parts: Uint8Array[]): void {
    let length = octets.length - start
    let from = start
    const quote = (at: number): void => {
      if (!this.#mustQuote(octets, at)) return
      parts.push(octets.subarray(from, at), QUOTE)
      from = at
      length += QUOTE.length
    }
    if (this.#lineStart) quote(start)
    for (let lf = octets.indexOf(LINE_OF_FROM, start); lf >= 0; lf = octets.indexOf(LINE_OF_FROM, lf + 1)) quote(lf + 1)
    parts.push(octets.subarray(from))
    this.#lineStart = octets[octets.length - 1] === LF
    this.text += length
    this.visibleText += length + lines
  }
}
