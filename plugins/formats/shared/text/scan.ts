import type { OpenFile } from 'mailwright/api'
import { baseLineLength, blockLength, RECORD_DIGITS, RECORD_SENDER } from './blocks.js'
import { FORM, Layout } from './layout.js'
import { BIT } from './internal-lines.js'
import type { TextDialect } from './dialect.js'
import { parseMailbox, type Found, type FoundBase, type ParseTarget } from './parser.js'
import { NO_BASE, type Base } from './stamp.js'
import { UidRules, type Given } from './uid-rules.js'

/** What this server knows of the numbers before it looks at the file. */
export interface Known extends Given {
  readonly layout: Layout
  /** Messages may be there that it does not know, under numbers that it has given, since an operation has failed. */
  readonly doubtful?: true
}

/** Messages as found in a file, or in its tail. */
export interface Scanned {
  readonly layout: Layout
  /** `BIT` values and keyword words, by index. */
  readonly bits: readonly number[]
  readonly words: readonly (readonly string[])[]
  readonly ms: readonly number[]
  readonly zone: readonly number[]
  readonly base: Base
  readonly uids: UidRules
  /** Where the scan ended; less than the limit when something there is no message. */
  readonly stopped: number
}

/**
 * Scans a whole file. Messages whose numbers are only in memory (nobody could write them yet) are found again by what
 * tells them apart; what the file says itself is believed where that is doubtful.
 */
export function scanFile(dialect: TextDialect, file: OpenFile, size: number, known: Known | Given | undefined, signal: AbortSignal): Promise<Scanned> {
  const remembered = known !== undefined && 'layout' in known && known.validity !== 0 ? known : undefined
  const trusted = remembered?.doubtful === true ? undefined : remembered
  const uids = new UidRules({
    validity: trusted?.validity ?? 0,
    last: trusted?.last ?? 0,
    previous: 0,
    count: 0,
    known: trusted && ((uid) => trusted.layout.find(uid) >= 0),
    given: known,
  })
  return new Scan(dialect, uids, NO_BASE, remembered?.layout, trusted === undefined ? remembered?.validity : undefined).run(file, { from: 0, limit: size, first: true }, signal)
}

/**
 * Scans what was appended, beginning with the last known message, which may have grown and proves that what stands
 * before it did not move. Undefined when it is not there as it was.
 */
export async function scanTail(dialect: TextDialect, file: OpenFile, size: number, base: Base, known: Known, signal: AbortSignal): Promise<Scanned | undefined> {
  const { layout } = known
  const last = layout.count - 1
  const from = last >= 0 ? layout.at(last, layout.offset) : base.recordLength
  const uids = new UidRules({
    validity: known.validity,
    last: known.last,
    previous: last > 0 ? layout.at(last - 1, layout.uid) : 0,
    count: Math.max(0, last),
    known: (uid) => last >= 0 && uid === layout.uid[last],
  })
  const found = await new Scan(dialect, uids, base, last >= 0 ? tailOf(layout, last) : undefined).run(file, { from, limit: size, first: last === 0 && base.recordLength === 0 }, signal)
  if (last < 0) return found
  const same = found.layout.count > 0 && found.layout.offset[0] === from && found.layout.uid[0] === layout.uid[last] && found.layout.head[0] === layout.head[last]
  return same ? found : undefined
}
function tailOf(layout: Layout, i: number): Layout {
  const out = new Layout()
  out.push({
    uid: layout.at(i, layout.uid), offset: layout.at(i, layout.offset), head: layout.at(i, layout.head), length: layout.at(i, layout.length),
    header: layout.at(i, layout.header), size: layout.at(i, layout.size), form: layout.at(i, layout.form), filed: 0, print: layout.at(i, layout.print),
  })
  return out
}

/** From line and size together. */
function markOf(print: number, size: number): number {
  return print + size * 0x100000000
}

class Scan implements ParseTarget {
  readonly uids: UidRules
  readonly #layout = new Layout()
  readonly #bits: number[] = []
  readonly #words: (readonly string[])[] = []
  readonly #ms: number[] = []
  readonly #zone: number[] = []
  #base: Base
  readonly #dialect: TextDialect
  #file: OpenFile | undefined
  /** When messages came that do not say it. */
  #modifiedMs = 0
  /** Messages of which only this server knows the number. */
  readonly #unwritten: Map<number, number[]>
  readonly #only: number | undefined

  /** With `only` what is remembered counts under this validity and no other. */
  constructor(dialect: TextDialect, uids: UidRules, base: Base, remembered: Layout | undefined, only?: number) {
    this.#dialect = dialect
    this.uids = uids
    this.#base = base
    this.#only = only
    this.#unwritten = new Map()
    for (let i = 0; i < (remembered?.count ?? 0); i++) {
      if (remembered === undefined || remembered.has(i, FORM.numbered)) continue
      const mark = markOf(remembered.at(i, remembered.print), remembered.at(i, remembered.size))
      const list = this.#unwritten.get(mark)
      if (list === undefined) this.#unwritten.set(mark, [remembered.at(i, remembered.uid)])
      else list.push(remembered.at(i, remembered.uid))
    }
  }
  async run(file: OpenFile, range: { from: number; limit: number; first: boolean }, signal: AbortSignal): Promise<Scanned> {
    this.#file = file
    if (this.#dialect.delimiter !== '') this.#modifiedMs = (await file.stat()).mtimeMs
    const stopped = range.from >= range.limit ? range.limit : await parseMailbox(this.#dialect, file, range, this, signal)
    this.#layout.end = stopped
    if (this.#base.kind === 'record') this.#base = { ...this.#base, standard: await this.#hasStandardRecord() }
    return { layout: this.#layout, bits: this.#bits, words: this.#words, ms: this.#ms, zone: this.#zone, base: this.#base, uids: this.uids, stopped }
  }
  async #hasStandardRecord(): Promise<boolean> {
    const start = Buffer.from(this.#dialect.delimiter + RECORD_SENDER, 'latin1')
    const head = Buffer.alloc(start.length)
    await this.#file?.read(head, 0)
    return head.equals(start) && this.#base.digits === RECORD_DIGITS
  }

  base(b: FoundBase): void {
    this.uids.base(b.validity, b.last)
    const { digitsAt, digits, validity, last, keywords } = b
    this.#base = { kind: b.pseudo ? 'record' : 'first', validity, last, digitsAt, digits, recordLength: 0, standard: true, keywords }
  }
  pseudo(m: Found): void {
    this.#base = { ...this.#base, recordLength: m.end }
  }
  message(m: Found): void {
    const uid = m.uid === 0 ? (this.#remembered(markOf(m.print, m.size)) ?? this.uids.next()) : m.uid
    this.uids.settle(uid)
    this.#layout.push({
      uid,
      offset: m.offset,
      head: m.textAt - m.offset,
      length: m.textEnd - m.offset,
      header: m.headerSize,
      size: m.size,
      form:
        (m.uid === 0 ? 0 : FORM.numbered | (this.#canonical(m) ? FORM.canonical : 0)) | ((m.bits & BIT.old) === 0 ? 0 : FORM.old) | (m.hasCr ? FORM.hasCr : 0) | (m.separated ? FORM.separated : 0) | (m.dated ? 0 : FORM.undated),
      filed: 0,
      print: m.print,
    })
    this.#bits.push(m.bits)
    this.#words.push(m.keywords)
    this.#ms.push(m.dated ? m.ms : Math.floor(this.#modifiedMs / 1000) * 1000)
    this.#zone.push(m.zone)
  }
  #canonical(m: Found): boolean {
    if (!m.dated) return false
    const bearsBase = this.#layout.count === 0 && this.#base.kind === 'first' && this.#base.digitsAt > m.offset && this.#base.digitsAt < m.textAt
    return m.textAt - m.offset === m.bare + blockLength(m.bits, m.keywords, m.uid, bearsBase ? baseLineLength(this.#base) : 0) + 1
  }
  #remembered(mark: number): number | undefined {
    if (this.#only !== undefined && this.#only !== this.uids.validity) return undefined
    const list = this.#unwritten.get(mark)
    const uid = list?.shift()
    return uid !== undefined && uid > this.uids.previous ? uid : undefined
  }
}
