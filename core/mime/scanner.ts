import { CharsetGuess } from './charset-guess.js'
import { plainContent, readContent } from './content.js'
import type { PartPlace } from './content.js'
import { writeHeaderEnvelope } from './envelope.js'
import { blankLineEnd } from './header.js'
import { MIME_LIMITS } from './limits.js'
import { countOctet } from './line-kernel.js'
import { asBuffer, fromLatin1, latin1 } from './octets.js'
import { parameterOf } from './part.js'
import type { ContentFacts, MimePart } from './part.js'

const LF = 0x0a
const CR = 0x0d
const DASH = 0x2d
const nothing = new Uint8Array(0)
const LINE_OF_DASHES = Buffer.from('\n--')

/** A part while it is being read. */
interface OpenPart {
  kind: MimePart['kind']
  headerAt: number
  headerSize: number
  bodyAt: number
  bodySize: number
  /** Line ends of the message before the body; later those within it. */
  bodyLines: number
  content: ContentFacts
  envelope: Uint8Array | undefined
  readonly children: OpenPart[]
  readonly place: PartPlace
  /** `--boundary` of a multipart that still expects parts. */
  delimiter: Uint8Array | undefined
  guess: CharsetGuess | undefined
}
/** What is computed on the way besides offsets. */
export interface ScanOptions {
  /** Of messages within the message; its own is asked for elsewhere. */
  readonly envelopes?: boolean
  /** False: no line counts and no guessed character sets, which is faster. */
  readonly lines?: boolean
}

/**
 * Finds the parts of a message whose octets pass by in pieces of any size. It keeps the unfinished header or line only, so that an attachment
 * of any size costs no memory. A delimiter line is `--boundary` or `--boundary--` and trailing blanks, ended by LF, CRLF or the end of the
 * message; inner boundaries are tried before outer ones, and an outer one ends what is open within (RFC 2046 §5.1). A header ends at its blank
 * line, at a delimiter, or with the message.
 */
export class MimeScanner {
  readonly #withEnvelopes: boolean
  readonly #withLines: boolean
  /** The open parts, outermost first; the last one is being read. */
  readonly #open: OpenPart[] = []
  #root: OpenPart
  #inHeader = true
  /** The header passed its limit and was parsed; what is left of it only counts. */
  #headerParsed = false
  /** Multiparts among `#open` that still have a delimiter. */
  #delimiters = 0
  #parts = 1
  /** Open MESSAGE/RFC822 parts: within them every line counts. */
  #messages = 0
  /** Offset of the first octet not dealt with. */
  #at = 0
  #lines = 0
  /** Octets at `#keptAt` that wait for the rest of their header or line. */
  #kept: Uint8Array = nothing
  #keptAt = 0
  /** The next octet stands within a line that cannot be a delimiter. */
  #midLine = false
  /** The last two octets dealt with, for the line end before a delimiter. */
  #last = 0
  #beforeLast = 0

  constructor(options: ScanOptions = {}) {
    this.#withEnvelopes = options.envelopes === true
    this.#withLines = options.lines !== false
    this.#root = this.#begin(0, 'message')
  }

  /** The octets are not kept; the caller may reuse them. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    let work = chunk
    let base = this.#at
    if (this.#kept.length > 0) {
      work = Buffer.concat([this.#kept, chunk])
      base = this.#keptAt
      this.#kept = nothing
    }
    this.#work(work, base, false)
  }

  /** No more octets; the tree. */
  end(): MimePart {
    const kept = this.#kept
    this.#kept = nothing
    this.#work(kept, kept.length > 0 ? this.#keptAt : this.#at, true)
    this.#endHeaders(this.#at)
    this.#close(0, this.#at, this.#lines)
    return this.#root
  }

  #begin(at: number, place: PartPlace): OpenPart {
    const part: OpenPart = {
      kind: 'leaf', headerAt: at, headerSize: 0, bodyAt: at, bodySize: 0, bodyLines: 0, content: plainContent(), envelope: undefined,
      children: [], place, delimiter: undefined, guess: undefined,
    }
    this.#open.at(-1)?.children.push(part)
    this.#open.push(part)
    this.#inHeader = true
    this.#headerParsed = false
    return part
  }

  #work(work: Uint8Array, base: number, last: boolean): void {
    let from = this.#at - base
    for (;;) {
      const next = this.#inHeader ? this.#header(work, base, from, last) : this.#body(work, base, from, last)
      if (next === -1) return
      from = next
    }
  }

  /** Everything before `to` is dealt with. */
  #passed(work: Uint8Array, base: number, to: number): void {
    const from = this.#at - base
    if (to - from >= 2) this.#beforeLast = work[to - 2]!
    else if (to - from === 1) this.#beforeLast = this.#last
    if (to > from) this.#last = work[to - 1]!
    this.#at = base + to
  }

  /** Keeps what must be seen again together with what follows. */
  #keep(work: Uint8Array, base: number, from: number): void {
    // A copy: `slice` of a Buffer would not be one.
    this.#kept = from < work.length ? new Uint8Array(work.subarray(from)) : nothing
    this.#keptAt = base + from
  }

  /** Reads header lines from `at`; where to go on, or -1 when octets are wanting. */
  #header(work: Uint8Array, base: number, from: number, last: boolean): number {
    const part = this.#open.at(-1)!
    if (base + from === part.headerAt && !this.#midLine) {
      const end = this.#wholeHeader(work, from)
      if (end !== -1) {
        if (this.#messages > 0) this.#lines += countOctet(work, LF, from, end)
        this.#passed(work, base, end)
        this.#endHeader(work, from, end, base + end)
        return end
      }
    }
    const buffer = asBuffer(work)
    let at = from
    for (;;) {
      const lf = this.#midLine ? buffer.indexOf(LF, at) : indexOfLineEnd(buffer, at)
      const end = lf === -1 ? work.length : lf
      if (lf === -1 && !last) break
      if (at >= work.length) break
      if (!this.#midLine && this.#delimiters > 0) {
        const level = this.#match(work, at, end)
        if (level !== 0) {
          this.#passed(work, base, at)
          this.#endHeader(work, part.headerAt - base, at, base + at)
          return this.#delimit(level, work, base, at, lf === -1 ? end : lf + 1)
        }
      }
      if (lf === -1) {
        at = end
        this.#passed(work, base, at)
        break
      }
      this.#lines++
      const isBlank = !this.#midLine && (lf === at || (lf === at + 1 && work[at] === CR))
      this.#midLine = false
      this.#passed(work, base, lf + 1)
      at = lf + 1
      if (isBlank) {
        this.#endHeader(work, part.headerAt - base, at, base + at)
        return at
      }
      if (!this.#headerParsed && base + at - part.headerAt > MIME_LIMITS.headerOctets) {
        this.#parse(part, work, part.headerAt - base, at)
      }
    }
    if (last) {
      this.#endHeader(work, part.headerAt - base, work.length, base + work.length)
      return -1
    }
    if (!this.#headerParsed && base + work.length - part.headerAt <= MIME_LIMITS.headerOctets) this.#keep(work, base, part.headerAt - base)
    else {
      if (!this.#headerParsed) this.#parse(part, work, part.headerAt - base, work.length)
      this.#keepLine(work, base, at)
    }
    return -1
  }

  /** Where the header that begins at `from` ends, when all of it is there, within its limit and without any line that might be a delimiter; else -1. */
  #wholeHeader(work: Uint8Array, from: number): number {
    const end = blankLineEnd(work, from, Math.min(work.length, from + MIME_LIMITS.headerOctets))
    if (end === -1 || this.#delimiters === 0) return end
    if (work[from] === DASH) return -1
    return asBuffer(work).subarray(from, end).includes(LINE_OF_DASHES) ? -1 : end
  }

  /** Keeps the line that begins at `at` if it may be a delimiter or a blank line, else passes it. */
  #keepLine(work: Uint8Array, base: number, at: number): void {
    const mayMatter = !this.#midLine && work.length - at <= MIME_LIMITS.delimiterLine
    if (mayMatter) this.#keep(work, base, at)
    else {
      this.#passed(work, base, work.length)
      this.#midLine = true
    }
  }

  #parse(part: OpenPart, work: Uint8Array, from: number, to: number): void {
    const header = latin1(work, from, to)
    part.content = readContent(header, part.place)
    if (this.#withEnvelopes && part.place === 'message' && part !== this.#root) part.envelope = fromLatin1(writeHeaderEnvelope(header))
    this.#headerParsed = true
  }

  /** The header ends before offset `bodyAt` of the message; its octets are `work[from…to)` unless they were parsed already. */
  #endHeader(work: Uint8Array, from: number, to: number, bodyAt: number): void {
    const part = this.#open.at(-1)!
    if (!this.#headerParsed) this.#parse(part, work, from, to)
    part.headerSize = bodyAt - part.headerAt
    part.bodyAt = bodyAt
    part.bodyLines = this.#lines
    this.#inHeader = false
    this.#headerParsed = false
    const { type, subtype, parameters } = part.content
    const isMultipart = type === 'MULTIPART'
    const isMessage = type === 'MESSAGE' && subtype === 'RFC822'
    if ((isMultipart || isMessage) && (this.#open.length > MIME_LIMITS.depth || this.#parts >= MIME_LIMITS.parts)) {
      part.content = { ...part.content, type: 'TEXT', subtype: 'PLAIN', parameters: [] }
    } else if (isMultipart) {
      part.kind = 'multipart'
      // Without a boundary the original looks for "-".
      const boundary = parameterOf(parameters, 'BOUNDARY')?.trimEnd() ?? '-'
      part.delimiter = fromLatin1(`--${boundary}`)
      this.#delimiters++
      return
    } else if (isMessage) {
      part.kind = 'message'
      this.#parts++
      this.#messages++
      this.#begin(bodyAt, 'message')
      return
    }
    if (this.#withLines && part.content.type === 'TEXT' && part.content.parameters.length === 0) part.guess = new CharsetGuess()
  }

  /** Ends headers that have not even begun: of a message within a MESSAGE/RFC822 without body. */
  #endHeaders(at: number): void {
    while (this.#inHeader) this.#endHeader(nothing, 0, 0, at)
  }

  /** Passes body octets from `at` up to a delimiter; where to go on, or -1 when octets are wanting. */
  #body(work: Uint8Array, base: number, from: number, last: boolean): number {
    const leaf = this.#open.at(-1)!
    const { guess } = leaf
    const counting = this.#withLines && (this.#messages > 0 || leaf.content.type === 'TEXT')
    if (this.#delimiters === 0) {
      if (counting) this.#lines += countOctet(work, LF, from, work.length)
      guess?.observe(work.subarray(from))
      this.#passed(work, base, work.length)
      return -1
    }
    const end = work.length
    const buffer = asBuffer(work)
    const passTo = (at: number): void => {
      if (counting) this.#lines += countOctet(work, LF, from, at)
      guess?.observe(work.subarray(from, at))
      if (at > from) this.#passed(work, base, at)
    }
    let lineAt = from
    if (this.#midLine) {
      const lf = buffer.indexOf(LF, from)
      if (lf === -1) {
        passTo(end)
        return -1
      }
      lineAt = lf + 1
      this.#midLine = false
    }
    // The machine's own search finds the lines that may be delimiters; what lies between is counted as a whole.
    while (lineAt < end) {
      if (work[lineAt] === DASH && (lineAt + 1 >= end || work[lineAt + 1] === DASH)) {
        const lf = buffer.indexOf(LF, lineAt)
        if (lf === -1 && !last) break
        const lineEnd = lf === -1 ? end : lf
        const level = this.#match(work, lineAt, lineEnd)
        if (level !== 0) {
          passTo(lineAt)
          return this.#delimit(level, work, base, lineAt, lf === -1 ? end : lf + 1)
        }
        if (lf === -1) {
          lineAt = end
          break
        }
        lineAt = lf + 1
        continue
      }
      const next = buffer.indexOf(LINE_OF_DASHES, lineAt)
      lineAt = (next === -1 ? lastLineEnd(work, lineAt, end) : next) + 1
      if (next === -1) break
    }
    passTo(lineAt)
    if (lineAt >= end) return -1
    if (!last && work[lineAt] === DASH) {
      this.#keepLine(work, base, lineAt)
      if (this.#midLine) guess?.observe(work.subarray(lineAt))
      return -1
    }
    guess?.observe(work.subarray(lineAt))
    this.#passed(work, base, end)
    this.#midLine = true
    return -1
  }

  /** Number of the open part (from 1) whose delimiter stands here, negative for its closing delimiter, 0 for none. */
  #match(work: Uint8Array, at: number, lineEnd: number): number {
    if (work[at] !== DASH || work[at + 1] !== DASH || lineEnd - at > MIME_LIMITS.delimiterLine) return 0
    let end = lineEnd
    while (end > at && (work[end - 1] === CR || work[end - 1] === 0x20 || work[end - 1] === 0x09)) end--
    const length = end - at
    for (let level = this.#open.length; level > 0; level--) {
      const delimiter = this.#open[level - 1]!.delimiter
      if (delimiter === undefined || length < delimiter.length) continue
      if (length !== delimiter.length && !(length === delimiter.length + 2 && work[end - 1] === DASH && work[end - 2] === DASH)) continue
      let i = 2
      while (i < delimiter.length && work[at + i] === delimiter[i]) i++
      if (i === delimiter.length) return length === delimiter.length ? level : -level
    }
    return 0
  }

  /** Deals with the delimiter line `work[at…next)` of an open part: ends what is within it, and begins its next part. */
  #delimit(level: number, work: Uint8Array, base: number, at: number, next: number): number {
    const index = Math.abs(level) - 1
    this.#endHeaders(base + at)
    const eol = this.#last !== LF ? 0 : this.#beforeLast === CR ? 2 : 1
    this.#close(index + 1, base + at - eol, this.#lines - (eol === 0 ? 0 : 1))
    const multipart = this.#open[index]!
    if (work[next - 1] === LF) this.#lines++
    this.#passed(work, base, next)
    if (level < 0) {
      multipart.delimiter = undefined
      this.#delimiters--
      return next
    }
    this.#parts++
    this.#begin(base + next, multipart.content.subtype === 'DIGEST' ? 'digest-part' : 'part')
    if (this.#parts >= MIME_LIMITS.parts) {
      for (const part of this.#open) part.delimiter = undefined
      this.#delimiters = 0
    }
    return next
  }

  /** Ends all open parts from number `from` on; their octets end at `end`. */
  #close(from: number, end: number, lines: number): void {
    while (this.#open.length > from) {
      const part = this.#open.pop()!
      if (part.delimiter !== undefined) this.#delimiters--
      if (part.kind === 'message') this.#messages--
      part.bodySize = Math.max(0, end - part.bodyAt)
      part.bodyLines = part.bodySize === 0 || (part.kind !== 'message' && part.content.type !== 'TEXT') ? 0 : Math.max(0, lines - part.bodyLines)
      if (part.guess !== undefined) {
        const charset = part.guess.answer(part.content.encoding)
        part.content = { ...part.content, parameters: [{ name: 'CHARSET', value: charset }] }
        part.guess = undefined
      }
      if (part.kind === 'multipart' && part.children.length === 0) part.children.push(emptyPart(part.bodyAt))
    }
  }
}

/** A multipart without parts is shown with an empty one: RFC 3501 §9 wants at least one body in a body-type-mpart. */
function emptyPart(at: number): OpenPart {
  return {
    kind: 'leaf', headerAt: at, headerSize: 0, bodyAt: at, bodySize: 0, bodyLines: 0, envelope: undefined, children: [], place: 'part',
    content: { ...plainContent(), parameters: [{ name: 'CHARSET', value: 'US-ASCII' }] }, delimiter: undefined, guess: undefined,
  }
}

/** Header lines are short: a loop beats a call. */
function indexOfLineEnd(octets: Uint8Array, from: number): number {
  for (let i = from; i < octets.length; i++) if (octets[i] === LF) return i
  return -1
}

/** The last line end of `from…to`, or what stands before `from` when there is none. */
function lastLineEnd(octets: Uint8Array, from: number, to: number): number {
  let i = to - 1
  while (i >= from && octets[i] !== LF) i--
  return Math.max(i, from - 1)
}

/** The tree of a message that is in memory. */
export function scanOctets(octets: Uint8Array, options?: ScanOptions): MimePart {
  const scanner = new MimeScanner(options)
  scanner.push(octets)
  return scanner.end()
}
