import type { ByteWindow } from './byte-window.js'
import { fromLineDate } from './from-line.js'
import { INTERNAL, internalLine, internalNameLength, numberAt, speltExactly, statusBits, uidBase, words, type Internal } from './internal-lines.js'
import type { Found, FoundBase, ParseTarget } from './parser.js'

/** Indices of the window: `[start, end)` without LF, `[start, lineEnd)` without one CR before it either. */
export interface Line {
  readonly start: number
  readonly lineEnd: number
  readonly end: number
  /** It has its LF. */
  readonly ended: boolean
}

const CR = 13
const NO_WORDS: readonly string[] = []

/** Reads From line and header lines of one message after the other, as they stand in the window, into `found`. */
export class HeaderLines {
  readonly found: Found = {
    offset: 0, textAt: 0, textEnd: 0, end: 0, bare: 0, headerSize: 0, size: 0, ms: 0, zone: 0, dated: false, bits: 0, keywords: NO_WORDS, uid: 0, hasCr: false, separated: false, print: 0,
  }
  /** CRLF octets of the lines that a client sees, so far. */
  visible = 0
  /** What the message under way says of the mailbox. */
  base: FoundBase | undefined
  readonly #w: ByteWindow
  readonly #target: ParseTarget
  /** Equal keyword lines are split once. */
  readonly #wordLists = new Map<string, readonly string[]>()
  #inInternal = false

  constructor(w: ByteWindow, target: ParseTarget) {
    this.#w = w
    this.#target = target
  }

  /** A message begins at `offset`, behind a delimiter of so many octets with a From line `[start, lineEnd)` that ends at `end`, if `dated`. */
  begin(offset: number, delimiter: number, start: number, lineEnd: number, end: number, dated: boolean): void {
    const f = this.found
    const { bytes } = this.#w
    f.offset = offset
    f.bits = 0
    f.keywords = NO_WORDS
    f.hasCr = dated && lineEnd < end
    f.dated = dated
    f.bare = delimiter + (dated ? lineEnd - start + 1 : 0)
    f.ms = 0
    f.zone = 0
    f.print = 0
    this.visible = 0
    this.base = undefined
    this.#inInternal = false
    if (!dated) return
    const date = fromLineDate(bytes, start, lineEnd)
    if (date === undefined) this.#target.uids.warn(`Unable to parse internal date: ${bytes.toString('latin1', start + 5, lineEnd)}`)
    else {
      f.ms = date.ms
      f.zone = date.zone
    }
  }
  /** All lines were read. */
  end(textAt: number): void {
    this.found.textAt = textAt
    this.found.headerSize = this.visible
    this.found.uid = this.#target.uids.taken()
  }

  /** One line that is not empty, `[start, end)` without LF and one CR; `ended` when it has its LF. */
  line(start: number, end: number, ended: boolean, first: boolean): void {
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
        const counted = this.#internal(which, start, end, first && this.base === undefined)
        this.base ??= counted
        return
      }
    }
    const length = end - start - this.crsIn(start, end)
    this.visible += length + (ended ? 2 : 0)
    this.found.bare += length + 1
  }
  /** A line of which only the length is known: none of ours. */
  passed(visible: number): void {
    this.visible += visible
    this.found.bare += visible
    this.#inInternal = false
  }
  crsIn(from: number, end: number): number {
    let crs = 0
    for (let i = from; i < end; i++) if (this.#w.bytes[i] === CR) crs++
    if (crs > 0) this.found.hasCr = true
    return crs
  }

  #internal(which: Internal, start: number, end: number, mayBase: boolean): FoundBase | undefined {
    const { uids } = this.#target
    const bytes = this.#w.bytes
    const f = this.found
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
}
