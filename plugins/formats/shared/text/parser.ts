import type { OpenFile } from 'mailwright/api'
import { crc32 } from 'node:zlib'
import { ByteWindow } from './byte-window.js'
import { DELIMITING, standsAt, type TextDialect } from './dialect.js'
import { isFromLine, startsWithFrom } from './from-line.js'
import { HeaderLines, type Line } from './header-lines.js'
import type { UidBase } from './internal-lines.js'
import type { UidRules } from './uid-rules.js'

/** A message as it stands in the file. One object is reused for all; take what is needed before returning. */
export interface Found {
  /** Where its delimiter or From line starts, its text starts and ends (without what separates), and the next one starts. */
  offset: number
  textAt: number
  textEnd: number
  end: number
  /** Octets of delimiter, From line and visible header lines with LF, without internal lines and empty line. */
  bare: number
  /** As CRLF octets: the header that a client sees, with its empty line, and the whole. */
  headerSize: number
  size: number
  ms: number
  zone: number
  /** It has a From line. */
  dated: boolean
  /** `BIT` values of Status and X-Status. */
  bits: number
  keywords: readonly string[]
  /** From X-UID, 0: none that counts. */
  uid: number
  /** CR octets were seen; they are dropped when the message is written again. */
  hasCr: boolean
  /** It ends as the format has it: with a whole line, and the separating empty line or delimiter. */
  separated: boolean
  /** Of the first line; tells messages without number apart, together with their size. */
  print: number
}
/** What the first message says of the mailbox. */
export interface FoundBase extends UidBase {
  /** The message is no mail but the format's own record. */
  readonly pseudo: boolean
  /** Place of the last number's digits in the file. */
  readonly digitsAt: number
  readonly digits: number
}
export interface ParseTarget {
  readonly uids: UidRules
  /** While the first message is read, when it holds a base; lines before it are not believed. */
  base(b: FoundBase): void
  /** The format's own record at the start of the file. */
  pseudo(m: Found): void
  message(m: Found): void
}

const LF = 10
const CR = 13
const COLON = 58
const NEEDLE = Buffer.from('\nFrom ')
/** Large reads cost little, and between two of them other sessions run. */
const WINDOW = 1 << 20
/** What is kept in front when the window slides: the end of a text is judged by its last three octets. */
const OVERLAP = 8
/** After a delimiter so many octets tell what follows. */
const LOOKAHEAD = 1100
/** Answers of `quick` besides a place. */
const UNSURE = -1
const NO_MESSAGE = -2

/**
 * Scans a file of the dialect from `from` to `limit` and delivers each message. `first` says that `from` is the start of the file,
 * where a base counts. White space in front of the first From line is skipped, if it ends with a line, and so are delimiters in excess.
 *
 * @returns where it stopped: `limit`, or the place of something that is no message.
 */
export async function parseMailbox(
  dialect: TextDialect,
  file: OpenFile,
  range: { readonly from: number; readonly limit: number; readonly first: boolean },
  target: ParseTarget,
  signal: AbortSignal,
  windowSize: number = WINDOW,
): Promise<number> {
  // The tail of a mailbox needs no more than there is of it.
  const scan = new Scan(dialect, file, range.limit, target, Math.min(windowSize, range.limit - range.from + OVERLAP))
  return scan.run(range.from, range.first, signal)
}

class Scan {
  readonly #w: ByteWindow
  readonly #target: ParseTarget
  readonly #limit: number
  /** Empty where From lines alone tell messages apart. */
  readonly #delimiter: Buffer
  readonly #header: HeaderLines
  #crs = 0
  #lfs = 0
  #lines = new Uint32Array(256)

  constructor({ delimiter }: TextDialect, file: OpenFile, limit: number, target: ParseTarget, windowSize: number) {
    this.#w = new ByteWindow(file, limit, windowSize)
    this.#limit = limit
    this.#target = target
    this.#delimiter = Buffer.from(delimiter, 'latin1')
    this.#header = new HeaderLines(this.#w, target)
  }

  async run(from: number, atStart: boolean, signal: AbortSignal): Promise<number> {
    let at = await this.#skipBlank(from)
    let first = atStart
    while (at < this.#limit) {
      signal.throwIfAborted()
      // Most messages lie in the window as a whole and are read without a single await.
      let next = this.#quick(at, first)
      if (next === UNSURE && at !== this.#w.start) {
        await this.#w.slide(at)
        next = this.#quick(at, first)
      }
      if (next === UNSURE) next = await this.#slow(at, first)
      if (next === NO_MESSAGE) return at
      at = next
      first = false
      if (this.#header.base?.pseudo === true) this.#target.pseudo(this.#header.found)
      else this.#target.message(this.#header.found)
    }
    return at
  }
  async #slow(at: number, first: boolean): Promise<number> {
    const delimiter = this.#delimiter.length
    if (delimiter > 0) {
      const opening = await this.#line(at)
      if (opening === undefined || opening.end + 1 - opening.start !== delimiter || !this.#isDelimiter(opening.start)) return NO_MESSAGE
    }
    const line = await this.#line(at + delimiter)
    const dated = line !== undefined && this.#isFrom(line)
    if (delimiter === 0 && !dated) return NO_MESSAGE
    const { bytes } = this.#w
    // Without a line that fits the window there is little to tell the message by.
    const begins: Line = line ?? { start: 0, lineEnd: 0, end: 0, ended: false }
    this.#header.begin(at, delimiter, begins.start, begins.lineEnd, begins.end, dated)
    const print = crc32(bytes.subarray(begins.start, begins.lineEnd))
    const textAt = await this.#headerFrom(at + delimiter + (dated ? begins.end - begins.start + (begins.ended ? 1 : 0) : 0), first)
    this.#header.end(textAt)
    if (this.#header.found.uid === 0) this.#header.found.print = print
    return this.#text(textAt)
  }

  /** The message at a place when the window shows where it ends; otherwise nothing has happened. */
  #quick(at: number, first: boolean): number {
    const w = this.#w
    const { bytes } = w
    const start = at - w.start
    if (start < 0 || start >= w.length) return UNSURE
    const all = w.length === bytes.length ? bytes : bytes.subarray(0, w.length)
    if (this.#delimiter.length > 0 && !this.#isDelimiter(start)) return w.length - start < this.#delimiter.length && !w.atEnd ? UNSURE : NO_MESSAGE
    const lineAt = start + this.#delimiter.length
    const lf = all.indexOf(LF, lineAt)
    if (lf < 0) return UNSURE
    const lineEnd = bytes[lf - 1] === CR && lf > lineAt ? lf - 1 : lf
    const dated = isFromLine(bytes, lineAt, lineEnd)
    if (!dated && this.#delimiter.length === 0) return NO_MESSAGE
    const headerAt = dated ? lf + 1 : lineAt
    const lines = this.#findLines(headerAt)
    if (lines < 0) return UNSURE
    const textStart = (this.#lines[lines] ?? 0) + (bytes[this.#lines[lines] ?? 0] === CR ? 2 : 1)
    const end = this.#endOfText(all, headerAt, textStart)
    if (end < 0) return UNSURE
    const next = end === all.length || this.#delimiter.length === 0 ? w.start + end : this.#follows(w.start + end)
    if (next === UNSURE) return UNSURE
    const { found } = this.#header
    this.#header.begin(at, this.#delimiter.length, lineAt, lineEnd, lf, dated)
    for (let i = 0; i < lines; i++) {
      const after = this.#lines[i + 1] ?? 0
      const cr = after - 2 > (this.#lines[i] ?? 0) && bytes[after - 2] === CR
      if (cr) found.hasCr = true
      this.#header.line(this.#lines[i] ?? 0, cr ? after - 2 : after - 1, true, first)
    }
    if (bytes[textStart - 2] === CR) found.hasCr = true
    this.#header.visible += 2
    this.#header.end(w.start + textStart)
    // Only messages without number must be told apart by what they are.
    if (found.uid === 0) found.print = crc32(bytes.subarray(lineAt, lineEnd))
    this.#crs = 0
    this.#lfs = 0
    this.#count(w.start + textStart, w.start + end)
    return this.#finish(w.start + textStart, w.start + end, next)
  }
  /** Starts of a header's lines, the empty one last, into `#lines`; their number without it, -1 when the window does not show all. */
  #findLines(from: number): number {
    const { bytes, length } = this.#w
    let count = 0
    let line = from
    for (let i = from; i < length; i++) {
      if (bytes[i] !== LF) continue
      if (count === this.#lines.length) {
        const wider = new Uint32Array(2 * count)
        wider.set(this.#lines)
        this.#lines = wider
      }
      this.#lines[count] = line
      if (i === line || (i === line + 1 && bytes[line] === CR)) return count
      count++
      line = i + 1
    }
    return -1
  }
  /** Index of the next From line, of the delimiter, or of the end of the file; -1 when the window does not show it, or the header ends early. */
  #endOfText(all: Buffer, headerStart: number, textStart: number): number {
    if (this.#delimiter.length > 0) {
      const hit = all.indexOf(this.#delimiter, headerStart)
      return hit < 0 ? (this.#w.atEnd ? all.length : -1) : hit < textStart ? -1 : hit
    }
    for (let search = textStart - 1; ; ) {
      const hit = all.indexOf(NEEDLE, search)
      if (hit < 0) return this.#w.atEnd ? all.length : -1
      const lf = all.indexOf(LF, hit + 1)
      if (lf < 0 && !this.#w.atEnd) return -1
      const end = lf < 0 ? all.length : lf
      if (isFromLine(all, hit + 1, end > hit + 1 && all[end - 1] === CR ? end - 1 : end)) return hit + 1
      search = hit + 1
    }
  }
  /** Blank octets are skipped when the last of them is a line's end; otherwise the place itself is judged. */
  async #skipBlank(from: number): Promise<number> {
    let at = from
    let last = LF
    for (;;) {
      await this.#w.slide(at)
      let i = 0
      while (i < this.#w.length && isBlank(this.#w.bytes[i])) last = this.#w.bytes[i++] ?? 0
      at += i
      if (i < this.#w.length || this.#w.atEnd) break
    }
    if (last !== LF && at < this.#limit) return from
    return this.#delimiter.length > 0 && at < this.#limit && this.#isDelimiter(at - this.#w.start) ? this.#lastDelimiter(at) : at
  }
  #isDelimiter(index: number): boolean {
    return standsAt(this.#w.bytes, this.#delimiter, index, this.#w.length)
  }
  /** Of delimiters that stand one behind the other the last one opens; at the end of the file none does. */
  #lastDelimiter(at: number): number {
    const size = this.#delimiter.length
    let i = at - this.#w.start
    while (this.#isDelimiter(i + size)) i += size
    return this.#w.atEnd && i + size === this.#w.length ? this.#limit : this.#w.start + i
  }
  /**
   * Where the next message begins, for a delimiter that ends one: behind it, with a delimiter of its own, or at the same one, where a program wrote but
   * one. Anything else is for the scan to judge. `UNSURE` when the window does not show enough.
   */
  #follows(at: number): number {
    const w = this.#w
    const behind = at - w.start + this.#delimiter.length
    let i = behind
    while (i < w.length && isBlank(w.bytes[i])) i++
    if (w.length - i < LOOKAHEAD && !w.atEnd) return UNSURE
    if (i === w.length) return this.#limit
    if (this.#isDelimiter(i)) return this.#lastDelimiter(w.start + i)
    return this.#beginsHeader(behind) ? at : w.start + behind
  }
  /** A From line or a header field (RFC 5322 §2.2) stands here. */
  #beginsHeader(index: number): boolean {
    const { bytes, length } = this.#w
    const lf = bytes.indexOf(LF, index)
    const end = lf < 0 || lf > length ? length : lf
    if (isFromLine(bytes, index, end > index && bytes[end - 1] === CR ? end - 1 : end)) return true
    let i = index
    while (i < end && (bytes[i] ?? 0) > 32 && (bytes[i] ?? 0) < 127 && bytes[i] !== COLON) i++
    return i > index && bytes[i] === COLON
  }

  /** The line at a place in the file, undefined when it does not fit the window. */
  async #line(at: number): Promise<Line | undefined> {
    const w = this.#w
    for (let tries = 0; ; tries++) {
      const start = at - w.start
      if (start >= 0 && start <= w.length) {
        const lf = w.bytes.subarray(0, w.length).indexOf(LF, start)
        if (lf >= 0) return { start, lineEnd: lf > start && w.bytes[lf - 1] === CR ? lf - 1 : lf, end: lf, ended: true }
        if (w.atEnd) return { start, lineEnd: w.length > start && w.bytes[w.length - 1] === CR ? w.length - 1 : w.length, end: w.length, ended: false }
      }
      if (tries > 0) return undefined
      await w.slide(at)
    }
  }
  #isFrom(line: Line): boolean {
    return isFromLine(this.#w.bytes, line.start, line.lineEnd)
  }

  /** Reads header lines; returns where the text begins. */
  async #headerFrom(from: number, first: boolean): Promise<number> {
    let at = from
    while (at < this.#limit) {
      const line = await this.#line(at)
      if (line === undefined) {
        const long = await this.#longLine(at)
        this.#header.passed(long.visible)
        at = long.next
        continue
      }
      if (line.lineEnd < line.end) this.#header.found.hasCr = true
      const cut = this.#delimiterIn(line)
      if (cut >= 0) {
        if (cut > line.start) this.#header.line(line.start, cut, false, first)
        return at + cut - line.start
      }
      at += line.end - line.start + (line.ended ? 1 : 0)
      if (line.lineEnd === line.start) {
        if (line.ended) this.#header.visible += 2
        break
      }
      this.#header.line(line.start, line.lineEnd, line.ended, first)
    }
    return at
  }
  /** Index of a delimiter that ends the line, which may be no line of its own; -1 without one. */
  #delimiterIn({ start, end, ended }: Line): number {
    const at = end + 1 - this.#delimiter.length
    return ended && at >= start && this.#w.bytes[at] === DELIMITING && this.#isDelimiter(at) ? at : -1
  }

  /** A header line longer than the window is no line of ours: counted and passed. */
  async #longLine(at: number): Promise<{ visible: number; next: number }> {
    const w = this.#w
    let visible = 0
    let place = at
    for (;;) {
      await w.slide(place)
      const lf = w.bytes.subarray(0, w.length).indexOf(LF)
      const end = lf < 0 ? w.length : lf
      visible += end - this.#header.crsIn(0, end)
      place += end
      if (lf >= 0) return { visible: visible + 2, next: place + 1 }
      if (w.atEnd) return { visible, next: place }
    }
  }

  /** Finds the text's end and fills in what depends on it; returns where the next message or nothing starts. */
  async #text(textAt: number): Promise<number> {
    const w = this.#w
    const delimited = this.#delimiter.length > 0
    const needle = delimited ? this.#delimiter : NEEDLE
    // One octet in front: a From line may follow the header's empty line at once.
    const lead = delimited ? 0 : 1
    this.#crs = 0
    this.#lfs = 0
    let counted = textAt
    let search = textAt
    for (;;) {
      if (search - lead < w.start || search > w.start + w.length) await w.slide(Math.max(0, search - OVERLAP))
      const hit = w.bytes.subarray(0, w.length).indexOf(needle, search - lead - w.start)
      if (hit >= 0) {
        const at = w.start + hit + lead
        this.#count(counted, at)
        counted = at
        if (delimited) return this.#closed(textAt, at)
        const line = await this.#line(at)
        if (line !== undefined && this.#isFrom(line)) {
          await this.#keepTail(textAt, at)
          return this.#finish(textAt, at, at)
        }
        // Unlike the window's content, places in the file hold; #line may have slid it.
        search = at + 1
        continue
      }
      const end = w.start + w.length
      if (w.atEnd) {
        this.#count(counted, end)
        await this.#keepTail(textAt, end)
        return this.#finish(textAt, end, end)
      }
      const safe = Math.max(counted, end - needle.length)
      this.#count(counted, safe)
      counted = safe
      search = Math.max(search, safe)
      await w.slide(Math.max(0, search - OVERLAP))
    }
  }
  /** A delimiter ends the text. */
  async #closed(textAt: number, at: number): Promise<number> {
    let next = this.#follows(at)
    if (next === UNSURE) {
      await this.#w.slide(Math.max(0, at - OVERLAP))
      next = this.#follows(at)
    }
    // Blank octets without an end are no message.
    if (next === UNSURE) next = at + this.#delimiter.length
    await this.#keepTail(textAt, at)
    return this.#finish(textAt, at, next)
  }
  /** The judge of the last line needs the octets before the end. */
  async #keepTail(textAt: number, end: number): Promise<void> {
    const from = Math.max(textAt - 1, end - OVERLAP)
    if (from < this.#w.start) await this.#w.slide(from)
  }
  /** Adds line ends of a part of the text, which the window holds. */
  #count(from: number, to: number): void {
    if (to <= from) return
    const w = this.#w
    const first = from - w.start
    const last = to - w.start
    this.#lfs += w.count(first, last, LF)
    const crs = w.count(first, last, CR)
    if (crs > 0) this.#header.found.hasCr = true
    this.#crs += crs
  }
  /** The text lies in `[textAt, end)`; the next message begins at `next`, behind what separates them. */
  #finish(textAt: number, end: number, next: number): number {
    const f = this.#header.found
    const bytes = this.#w.bytes
    const last = end - this.#w.start
    let empty = 0
    if (this.#delimiter.length > 0) f.separated = next > end && (end === textAt || bytes[last - 1] === LF)
    else {
      // The last line of the region, when it is empty, separates and is not text.
      if (end > textAt && bytes[last - 1] === LF) {
        const before = end - 1 > textAt && bytes[last - 2] === CR ? 2 : 1
        if (end - before === textAt || bytes[last - before - 1] === LF) empty = before
      }
      f.separated = empty > 0
    }
    f.textEnd = end - empty
    f.end = next
    f.size = f.headerSize + end - textAt + this.#lfs - this.#crs - (empty > 0 ? 2 : 0)
    return next
  }
}

function isBlank(octet: number | undefined): boolean {
  return octet === LF || octet === CR || octet === 32 || octet === 9
}

/**
 * First octets of a file, for telling the format: the delimiter, or else a From line that ends within them, after blank lines or none.
 */
export function looksLikeMailbox({ delimiter }: TextDialect, head: Uint8Array): boolean {
  if (delimiter !== '') return standsAt(head, Buffer.from(delimiter, 'latin1'), 0)
  let i = 0
  while (i < head.length && isBlank(head[i])) i++
  if (i > 0 && head[i - 1] !== LF) return false
  if (!startsWithFrom(head, i)) return false
  const lf = head.indexOf(LF, i)
  return lf >= 0 && isFromLine(head, i, lf > i && head[lf - 1] === CR ? lf - 1 : lf)
}
