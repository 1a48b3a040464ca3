import type { OpenFile } from 'mailwright/api'
import { crc32 } from 'node:zlib'
import { ByteWindow } from './byte-window.js'
import { fromLineDate, isFromLine, startsWithFrom } from './from-line.js'
import { INTERNAL, internalLine, internalNameLength, numberAt, speltExactly, statusBits, uidBase, words, type Internal, type UidBase } from './internal-lines.js'
import type { UidRules } from './uid-rules.js'

/** A message as it stands in the file. One object is reused for all; take what is needed before returning. */
export interface Found {
  /** Where its From line starts, its text starts and ends (without the separating empty line), and the next one starts. */
  offset: number
  textAt: number
  textEnd: number
  end: number
  /** Octets of From line and visible header lines with LF, without internal lines and empty line. */
  bare: number
  /** As CRLF octets: the header that a client sees, with its empty line, and the whole. */
  headerSize: number
  size: number
  ms: number
  zone: number
  /** `BIT` values of Status and X-Status. */
  bits: number
  keywords: readonly string[]
  /** From X-UID, 0: none that counts. */
  uid: number
  /** CR octets were seen; they are dropped when the message is written again. */
  hasCr: boolean
  /** The separating empty line is there. */
  separated: boolean
  /** Of the From line; tells messages without number apart, together with their size. */
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
const NEEDLE = Buffer.from('\nFrom ')
/** Large reads cost little, and between two of them other sessions run. */
const WINDOW = 1 << 20
/** What is kept in front when the window slides: the end of a text is judged by its last three octets. */
const OVERLAP = 8
const NO_WORDS: readonly string[] = []
/** Answers of `quick` besides a place. */
const UNSURE = -1
const NO_MESSAGE = -2

/**
 * Scans the file from `from` to `limit` and delivers each message. `first` says that `from` is the start of the file,
 * where a base counts. White space in front of the first From line is skipped, if it ends with a line.
 *
 * @returns where it stopped: `limit`, or the place of something that is no From line.
 */
export async function parseMailbox(
  file: OpenFile,
  range: { readonly from: number; readonly limit: number; readonly first: boolean },
  target: ParseTarget,
  signal: AbortSignal,
  windowSize: number = WINDOW,
): Promise<number> {
  const scan = new Scan(file, range.limit, target, windowSize)
  return scan.run(range.from, range.first, signal)
}

class Scan {
  readonly #w: ByteWindow
  readonly #target: ParseTarget
  readonly #limit: number
  readonly #found: Found = {
    offset: 0, textAt: 0, textEnd: 0, end: 0, bare: 0, headerSize: 0, size: 0, ms: 0, zone: 0, bits: 0, keywords: NO_WORDS, uid: 0, hasCr: false, separated: false, print: 0,
  }
  /** Equal keyword lines are split once. */
  readonly #wordLists = new Map<string, readonly string[]>()
  #crs = 0
  #lfs = 0
  /** Of the message under way. */
  #visible = 0
  #base: FoundBase | undefined
  #inInternal = false
  #lines = new Uint32Array(256)

  constructor(file: OpenFile, limit: number, target: ParseTarget, windowSize: number) {
    this.#w = new ByteWindow(file, limit, windowSize)
    this.#limit = limit
    this.#target = target
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
      if (this.#base?.pseudo === true) this.#target.pseudo(this.#found)
      else this.#target.message(this.#found)
    }
    return at
  }
  async #slow(at: number, first: boolean): Promise<number> {
    const line = await this.#line(at)
    if (line === undefined || !this.#isFrom(line)) return NO_MESSAGE
    const textAt = await this.#header(at, line, first)
    this.#found.textAt = textAt
    return this.#text(textAt)
  }

  /** The message at a place when the window shows where it ends; otherwise nothing has happened. */
  #quick(at: number, first: boolean): number {
    const w = this.#w
    const { bytes } = w
    const start = at - w.start
    if (start < 0 || start >= w.length) return UNSURE
    const all = w.length === bytes.length ? bytes : bytes.subarray(0, w.length)
    const fromLf = all.indexOf(LF, start)
    if (fromLf < 0) return UNSURE
    const fromEnd = bytes[fromLf - 1] === CR && fromLf > start ? fromLf - 1 : fromLf
    if (!isFromLine(bytes, start, fromEnd)) return NO_MESSAGE
    const lines = this.#findLines(fromLf + 1)
    if (lines < 0) return UNSURE
    const textStart = (this.#lines[lines] ?? 0) + (bytes[this.#lines[lines] ?? 0] === CR ? 2 : 1)
    const end = this.#endOfText(all, textStart)
    if (end < 0) return UNSURE
    this.#startMessage(at, start, fromEnd, fromLf)
    for (let i = 0; i < lines; i++) {
      const next = this.#lines[i + 1] ?? 0
      const cr = next - 2 > (this.#lines[i] ?? 0) && bytes[next - 2] === CR
      if (cr) this.#found.hasCr = true
      this.#headerLine(this.#lines[i] ?? 0, cr ? next - 2 : next - 1, true, first)
    }
    if (bytes[textStart - 2] === CR) this.#found.hasCr = true
    this.#found.headerSize = this.#visible + 2
    this.#found.uid = this.#target.uids.taken()
    // Only messages without number must be told apart by what they are.
    if (this.#found.uid === 0) this.#found.print = crc32(bytes.subarray(start, fromEnd))
    this.#found.textAt = w.start + textStart
    this.#crs = 0
    this.#lfs = 0
    this.#count(w.start + textStart, w.start + end)
    return this.#finish(w.start + textStart, w.start + end)
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
  /** Index of the next From line or the end of the file, -1 when the window does not show it. */
  #endOfText(all: Buffer, textStart: number): number {
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
      for (; i < this.#w.length; i++) {
        const c = this.#w.bytes[i] ?? 0
        if (c !== LF && c !== CR && c !== 32 && c !== 9) break
        last = c
      }
      at += i
      if (i < this.#w.length || this.#w.atEnd) return last === LF || at >= this.#limit ? at : from
    }
  }

  /** The line at a place in the file as window indices, without LF; undefined when it does not fit the window. */
  async #line(at: number): Promise<{ start: number; end: number; ended: boolean } | undefined> {
    const w = this.#w
    for (let tries = 0; ; tries++) {
      const start = at - w.start
      if (start >= 0 && start <= w.length) {
        const lf = w.bytes.subarray(0, w.length).indexOf(LF, start)
        if (lf >= 0) return { start, end: lf, ended: true }
        if (w.atEnd) return { start, end: w.length, ended: false }
      }
      if (tries > 0) return undefined
      await w.slide(at)
    }
  }
  #isFrom(line: { start: number; end: number }): boolean {
    return isFromLine(this.#w.bytes, line.start, withoutCr(this.#w.bytes, line))
  }

  #startMessage(offset: number, start: number, fromEnd: number, lineEnd: number): void {
    const { uids } = this.#target
    const f = this.#found
    const { bytes } = this.#w
    f.offset = offset
    f.bits = 0
    f.keywords = NO_WORDS
    f.hasCr = fromEnd < lineEnd
    f.bare = fromEnd - start + 1
    f.print = 0
    const date = fromLineDate(bytes, start, fromEnd)
    if (date === undefined) uids.warn(`Unable to parse internal date: ${bytes.toString('latin1', start + 5, fromEnd)}`)
    f.ms = date?.ms ?? 0
    f.zone = date?.zone ?? 0
    this.#visible = 0
    this.#base = undefined
    this.#inInternal = false
  }
  async #header(offset: number, fromLine: { start: number; end: number; ended: boolean }, first: boolean): Promise<number> {
    const f = this.#found
    const { bytes } = this.#w
    const fromEnd = withoutCr(bytes, fromLine)
    this.#startMessage(offset, fromLine.start, fromEnd, fromLine.end)
    const print = crc32(bytes.subarray(fromLine.start, fromEnd))
    let at = offset + (fromLine.end - fromLine.start) + (fromLine.ended ? 1 : 0)
    while (at < this.#limit) {
      const line = await this.#line(at)
      if (line === undefined) {
        const long = await this.#longLine(at)
        this.#visible += long.visible
        f.bare += long.visible
        at = long.next
        this.#inInternal = false
        continue
      }
      const end = withoutCr(bytes, line)
      if (end < line.end) f.hasCr = true
      at += line.end - line.start + (line.ended ? 1 : 0)
      if (end === line.start) {
        if (line.ended) this.#visible += 2
        break
      }
      this.#headerLine(line.start, end, line.ended, first)
    }
    f.headerSize = this.#visible
    f.uid = this.#target.uids.taken()
    f.print = f.uid === 0 ? print : 0
    return at
  }
  /** One line of a header that is not empty. */
  #headerLine(start: number, end: number, ended: boolean, first: boolean): void {
    const { bytes } = this.#w
    const octet = bytes[start]
    if (octet === 32 || octet === 9) {
      if (this.#inInternal) {
        const { uids } = this.#target
        uids.warn(`Discarding bogus continuation in msg ${uids.ordinal}: ${bytes.toString('latin1', start, end)}`)
        return
      }
    } else {
      const which = internalLine(bytes, start, end)
      this.#inInternal = which !== INTERNAL.none
      if (this.#inInternal) {
        const counted = this.#internal(which, start, end, first && this.#base === undefined)
        this.#base ??= counted
        return
      }
    }
    const length = end - start - this.#crsIn(start, end)
    this.#visible += length + (ended ? 2 : 0)
    this.#found.bare += length + 1
  }

  #internal(which: Internal, start: number, end: number, mayBase: boolean): FoundBase | undefined {
    const { uids } = this.#target
    const bytes = this.#w.bytes
    const f = this.#found
    const value = start + internalNameLength(which)
    if (!speltExactly(bytes, start, which)) {
      uids.warn(`Discarding bogus ${bytes.toString('latin1', start, value - 1)} header in message ${uids.ordinal}`)
      return undefined
    }
    switch (which) {
      case INTERNAL.status:
      case INTERNAL.xStatus:
        f.bits |= statusBits(bytes, value, end)
        return undefined
      case INTERNAL.xKeywords:
        f.keywords = this.#words(value, end)
        return undefined
      case INTERNAL.xUid: {
        const uid = numberAt(bytes, value, end)
        if (uid !== undefined) uids.claim(uid.value)
        return undefined
      }
      case INTERNAL.xImap:
      case INTERNAL.xImapBase: {
        const base = mayBase ? uidBase(bytes, value, end) : undefined
        if (base === undefined) return undefined
        const found = { ...base, pseudo: which === INTERNAL.xImap, digitsAt: this.#w.start + base.lastAt, digits: base.lastEnd - base.lastAt }
        this.#target.base(found)
        return found
      }
      case INTERNAL.none:
        return undefined
    }
  }
  #words(from: number, end: number): readonly string[] {
    const bytes = this.#w.bytes
    let i = from
    while (i < end && bytes[i] === 32) i++
    if (i === end) return NO_WORDS
    const key = bytes.toString('latin1', i, end)
    let list = this.#wordLists.get(key)
    if (list === undefined) this.#wordLists.set(key, (list = words(bytes, i, end)))
    return list
  }
  #crsIn(from: number, end: number): number {
    let crs = 0
    for (let i = from; i < end; i++) if (this.#w.bytes[i] === CR) crs++
    if (crs > 0) this.#found.hasCr = true
    return crs
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
      visible += end - this.#crsIn(0, end)
      place += end
      if (lf >= 0) return { visible: visible + 2, next: place + 1 }
      if (w.atEnd) return { visible, next: place }
    }
  }

  /** Finds the text's end and fills in what depends on it; returns where the next message or nothing starts. */
  async #text(textAt: number): Promise<number> {
    const w = this.#w
    this.#crs = 0
    this.#lfs = 0
    let counted = textAt
    let search = textAt
    for (;;) {
      // One octet in front: a From line may follow the header's empty line at once.
      if (search - 1 < w.start || search > w.start + w.length) await w.slide(Math.max(0, search - OVERLAP))
      const hit = w.bytes.subarray(0, w.length).indexOf(NEEDLE, search - 1 - w.start)
      if (hit >= 0) {
        const at = w.start + hit + 1
        this.#count(counted, at)
        counted = at
        const line = await this.#line(at)
        if (line !== undefined && this.#isFrom(line)) {
          await this.#keepTail(textAt, at)
          return this.#finish(textAt, at)
        }
        // Unlike the window's content, places in the file hold; #line may have slid it.
        search = at + 1
        continue
      }
      const end = w.start + w.length
      if (w.atEnd) {
        this.#count(counted, end)
        await this.#keepTail(textAt, end)
        return this.#finish(textAt, end)
      }
      const safe = Math.max(counted, end - NEEDLE.length)
      this.#count(counted, safe)
      counted = safe
      search = Math.max(search, safe)
      await w.slide(Math.max(0, search - OVERLAP))
    }
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
    if (crs > 0) this.#found.hasCr = true
    this.#crs += crs
  }
  #finish(textAt: number, end: number): number {
    const f = this.#found
    const bytes = this.#w.bytes
    const last = end - this.#w.start
    // The last line of the region, when it is empty, separates and is not text.
    let empty = 0
    if (end > textAt && bytes[last - 1] === LF) {
      const before = end - 1 > textAt && bytes[last - 2] === CR ? 2 : 1
      if (end - before === textAt || bytes[last - before - 1] === LF) empty = before
    }
    f.separated = empty > 0
    f.textEnd = end - empty
    f.end = end
    const stored = end - textAt
    f.size = f.headerSize + stored + this.#lfs - this.#crs - (empty > 0 ? 2 : 0)
    return end
  }
}

/** Index after the line's text: LF and one CR before it do not count. */
function withoutCr(b: Uint8Array, line: { start: number; end: number }): number {
  return line.end > line.start && b[line.end - 1] === CR ? line.end - 1 : line.end
}

/** First octets of a file, for telling the format: a From line that ends within them, after blank lines or none. */
export function looksLikeMailbox(head: Uint8Array): boolean {
  let i = 0
  while (i < head.length && (head[i] === LF || head[i] === CR || head[i] === 32 || head[i] === 9)) i++
  if (i > 0 && head[i - 1] !== LF) return false
  if (!startsWithFrom(head, i)) return false
  const lf = head.indexOf(LF, i)
  return lf >= 0 && isFromLine(head, i, lf > i && head[lf - 1] === CR ? lf - 1 : lf)
}
