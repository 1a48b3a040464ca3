import { DELIMITING, separatorOf, type TextDialect } from './dialect.js'
import { isFromLine, startsWithFrom } from './from-line.js'
import { INTERNAL, internalLine } from './internal-lines.js'

const LF = 10
const CR = 13
const QUOTE = 62
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
    const data = this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk])
    const lf = data.lastIndexOf(LF)
    let end = lf + 1
    if (end === 0 && data.length >= LONGEST_LINE) end = data.length
    this.#carry = Buffer.from(data.subarray(end))
    return this.#convert(data.subarray(0, end))
  }
  /** The last line, the end of the header if it never came, and the separator. */
  finish(): Buffer {
    const parts = [this.#convert(this.#carry)]
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
  /** Whole lines, or a piece of a very long one. */
  #convert(data: Uint8Array): Buffer {
    if (data.length === 0) return Buffer.alloc(0)
    let at = 0
    const parts: Buffer[] = []
    while (this.#inHeader && at < data.length) {
      const lf = data.indexOf(LF, at)
      const end = lf < 0 ? data.length : lf + 1
      if (this.#lineStart && (data[at] === LF || (data[at] === CR && data[at + 1] === LF))) {
        at = end
        parts.push(this.#endHeader())
        break
      }
      parts.push(this.#headerLine(data, at, end))
      at = end
    }
    if (at < data.length) parts.push(this.#body(data, at))
    return parts.length === 1 ? (parts[0] ?? Buffer.alloc(0)) : Buffer.concat(parts)
  }
  #headerLine(data: Uint8Array, start: number, end: number): Buffer {
    const out = Buffer.allocUnsafe(end - start + PREFIX.length + 1)
    let to = 0
    if (this.#lineStart) {
      if (internalLine(data, start, end) !== INTERNAL.none) to += PREFIX.copy(out, 0)
      else if (this.#mustQuote(data, start, end)) out[to++] = QUOTE
    }
    let lfs = 0
    for (let i = start; i < end; i++) {
      const c = data[i] ?? 0
      if (c === CR || (c === DELIMITING && this.#wouldDelimit())) continue
      if (c !== DELIMITING) this.#delimiting = 0
      if (c === LF) lfs++
      out[to++] = c === 0 ? 0x80 : c
    }
    this.#lineStart = lfs > 0
    this.head += to
    this.visibleHeader += to + lfs
    return out.subarray(0, to)
  }
  #mustQuote(data: Uint8Array, start: number, end: number): boolean {
    if (this.#quoting === 'none' || !startsWithFrom(data, start)) return false
    if (this.#quoting === 'all') return true
    let last = end
    if (last > start && data[last - 1] === LF) last--
    if (last > start && data[last - 1] === CR) last--
    return isFromLine(data, start, last)
  }
  #body(data: Uint8Array, start: number): Buffer {
    // A quoted line has at least six octets, so a sixth more is always enough.
    const out = Buffer.allocUnsafe(data.length - start + Math.ceil((data.length - start) / 5) + 8)
    let to = 0
    let lfs = 0
    let lineStart = this.#lineStart
    for (let i = start; i < data.length; i++) {
      const c = data[i] ?? 0
      if (lineStart) {
        if (c === 70 && startsWithFrom(data, i)) {
          const lf = this.#quoting === 'all' ? i : data.indexOf(LF, i)
          if (this.#mustQuote(data, i, lf < 0 ? data.length : lf + 1)) out[to++] = QUOTE
        }
        lineStart = false
      }
      if (c === CR || (c === DELIMITING && this.#wouldDelimit())) continue
      if (c !== DELIMITING) this.#delimiting = 0
      if (c === LF) {
        lfs++
        lineStart = true
      }
      out[to++] = c === 0 ? 0x80 : c
    }
    this.#lineStart = lineStart
    this.text += to
    this.visibleText += to + lfs
    return out.subarray(0, to)
  }
}
