import type { FlagSet, OpenFile } from 'mailwright/api'
import { mailboxRecord, RECORD_DIGITS, statusBlock, type BlockFacts } from './blocks.js'
import { openingOf, separatorOf, type TextDialect } from './dialect.js'
import { filedFlags } from './flags.js'
import { fromLine } from './from-line.js'
import { copyWithoutCr, filterHeader, hasBareCr, type FilteredHeader } from './header.js'
import { BIT } from './internal-lines.js'
import { FORM, Layout, type Place } from './layout.js'
import type { ContentWriter } from '../content-writer.js'
import type { Base } from './stamp.js'
import { WindowReader } from './window-reader.js'

/** What the mailbox is to become. */
export interface RewriteWish {
  readonly dialect: TextDialect
  readonly layout: Layout
  /** As the file has it now. */
  readonly base: Base
  readonly validity: number
  readonly last: number
  readonly keywords: readonly string[]
  /** Index into `flagSets` of what message `i` is to have. */
  flagId(i: number): number
  readonly flagSets: readonly FlagSet[]
  keep(i: number): boolean
  /** When message `i` came: written where the file does not say it. */
  date(i: number): { readonly ms: number; readonly zone: number }
  /** Writes that the messages were seen to come. */
  readonly claim: boolean
  readonly record: { readonly host: string; readonly nowMs: number; readonly zone: number }
}
export interface Rewritten {
  readonly layout: Layout
  readonly base: Base
  /** Indices of `layout`, as pairs of first and after-last, whose places or forms are others than before. */
  readonly changed: readonly number[]
}

/** Writes down front to back what changes; messages that neither change nor move are passed over. */
export async function rewrite(file: OpenFile, w: ContentWriter, wish: RewriteWish, signal: AbortSignal): Promise<Rewritten> {
  return new Rewrite(file, w, wish).run(signal)
}

const LF = Buffer.from('\n')
/** Who sent a message, where the file does not say it. */
const NOBODY = '-'
const NO_FLAGS: FlagSet = { system: 0, keywords: [], wire: new Uint8Array() }

class Rewrite {
  readonly #w: ContentWriter
  readonly #reader: WindowReader
  readonly #wish: RewriteWish
  readonly #out = new Layout()
  /** Digests of the flag sets, made when needed. */
  readonly #filed: (number | undefined)[] = []
  readonly #changed: number[] = []
  #base: Base

  constructor(file: OpenFile, w: ContentWriter, wish: RewriteWish) {
    this.#w = w
    this.#reader = new WindowReader(file)
    this.#wish = wish
    this.#base = wish.base
  }

  async run(signal: AbortSignal): Promise<Rewritten> {
    const { layout, keep } = this.#wish
    await this.#start()
    let first = this.#base.kind !== 'record'
    for (let i = 0; i < layout.count; ) {
      if (!keep(i)) {
        i++
        continue
      }
      signal.throwIfAborted()
      if (first || this.#dirty(i)) {
        await this.#message(i, first)
        first = false
        i++
        continue
      }
      let after = i + 1
      while (after < layout.count && keep(after) && !this.#dirty(after)) after++
      await this.#unchanged(i, after)
      i = after
    }
    this.#out.end = this.#w.at
    return { layout: this.#out, base: this.#base, changed: this.#changed }
  }
  #dirty(i: number): boolean {
    const { layout, claim } = this.#wish
    const form = claim ? FORM.numbered | FORM.canonical | FORM.old : FORM.numbered | FORM.canonical
    return this.#filedOf(i) !== layout.filed[i] || !layout.has(i, form) || this.#bearsBase(i)
  }
  #filedOf(i: number): number {
    const { flagId, flagSets } = this.#wish
    const id = flagId(i)
    return (this.#filed[id] ??= filedFlags(flagSets[id]?.system ?? 0, flagSets[id]?.keywords ?? []))
  }
  /** Neighbours that stay as they are, in one piece where that is possible. */
  async #unchanged(first: number, after: number): Promise<void> {
    const { layout } = this.#wish
    if (layout.at(first, layout.offset) === this.#w.at) {
      this.#w.stay(layout.endOf(after - 1))
      this.#out.append(layout, first, after, 0)
      return
    }
    for (let i = first; i < after; ) {
      let end = i
      while (end < after && layout.has(end, FORM.separated)) end++
      if (end === i) {
        await this.#move(i++)
        continue
      }
      const from = layout.at(i, layout.offset)
      this.#note(this.#out.count, end - i)
      this.#out.append(layout, i, end, this.#w.at - from)
      await this.#copy(from, layout.endOf(end - 1))
      i = end
    }
  }
  #note(at: number, count: number): void {
    if (this.#changed[this.#changed.length - 1] === at) this.#changed[this.#changed.length - 1] = at + count
    else this.#changed.push(at, at + count)
  }
  #push(place: Place): void {
    this.#note(this.#out.count, 1)
    this.#out.push(place)
  }

  /** The mailbox's own record: made when nothing else is left, renewed when its content changes, otherwise kept. */
  async #start(): Promise<void> {
    const { dialect, layout, base, validity, last, keywords, keep, record } = this.#wish
    const same = base.validity === validity && sameWords(base.keywords, keywords)
    if (base.kind === 'record' && base.standard && same) {
      if (base.last !== last) {
        this.#w.stay(base.digitsAt)
        const digits = (n: number): Buffer => Buffer.from(String(n).padStart(RECORD_DIGITS, '0'))
        await this.#w.bytes(digits(last), digits(base.last))
      }
      this.#w.stay(base.recordLength)
      this.#base = { ...base, last }
      return
    }
    let kept = false
    for (let i = 0; i < layout.count && !kept; i++) kept = keep(i)
    if (base.kind !== 'record' && kept) {
      // Blank lines may stand in front of the first message; they stay.
      this.#w.stay(layout.at(0, layout.offset))
      return
    }
    const text = Buffer.from(mailboxRecord(dialect, { ...record, validity, last, keywords, messageId: true }), 'latin1')
    const digitsAt = text.indexOf('\nX-IMAP: ') + '\nX-IMAP: '.length + RECORD_DIGITS + 1
    this.#w.stay(0)
    await this.#w.bytes(text)
    this.#base = { kind: 'record', validity, last, digitsAt, digits: RECORD_DIGITS, recordLength: text.length, standard: true, keywords: [...keywords] }
  }

  async #message(i: number, first: boolean): Promise<void> {
    const { flagId, flagSets } = this.#wish
    if (this.#dirty(i) || (first && this.#baseChanges(i))) await this.#renew(i, first, flagSets[flagId(i)] ?? NO_FLAGS, this.#filedOf(i))
    else await this.#unchanged(i, i + 1)
  }
  /** Whether the first message must say something else of the mailbox. */
  #baseChanges(i: number): boolean {
    const { base, validity, last, keywords } = this.#wish
    return i > 0 || base.kind !== 'first' || base.validity !== validity || base.last !== last || !sameWords(base.keywords, keywords)
  }
  /** A message that bore the base but stands behind a record now. */
  #bearsBase(i: number): boolean {
    return i === 0 && this.#wish.base.kind === 'first' && this.#base.kind === 'record'
  }

  async #move(i: number): Promise<void> {
    const place = this.#place(i)
    const offset = this.#w.at
    await this.#copy(place.offset, place.offset + place.length)
    this.#push({ ...place, ...(await this.#separate(i)), offset })
  }

  async #renew(i: number, first: boolean, set: FlagSet, filed: number): Promise<void> {
    const { layout, validity, last, keywords, claim } = this.#wish
    const place = this.#place(i)
    const textAt = place.offset + place.head
    const head = Buffer.from(await this.#reader.bytes(place.offset, textAt))
    const { bytes, visible } = this.#filtered(i, head)
    const old = claim || layout.has(i, FORM.old)
    const facts: BlockFacts = {
      ...(first && { base: { validity, last, keywords } }),
      bits: set.system | (old ? BIT.old : 0),
      keywords: inTableOrder(set.keywords, keywords),
      uid: place.uid,
    }
    const renewed = Buffer.concat([bytes, Buffer.from(statusBlock(facts), 'latin1'), LF])
    const offset = this.#w.at
    if (first) this.#base = firstBase(offset + bytes.length, validity, last, keywords)
    const inPlace = offset === place.offset && renewed.length === head.length && !layout.has(i, FORM.hasCr)
    if (inPlace) await this.#patch(head, renewed)
    else await this.#w.edited(renewed, head, place.offset)
    const form = FORM.numbered | FORM.canonical | (old ? FORM.old : 0) | (this.#w.sparing && layout.has(i, FORM.hasCr) ? FORM.hasCr : 0)
    const header = visible + 2
    const next = { ...place, offset, head: renewed.length, header, filed, size: header + place.size - place.header }
    if (inPlace && layout.has(i, FORM.separated)) {
      this.#w.stay(layout.endOf(i))
      this.#push({ ...next, form: form | FORM.separated })
      return
    }
    const text = inPlace ? place.length - place.head : await this.#text(i, textAt, place.offset + place.length)
    if (inPlace) this.#w.stay(place.offset + place.length)
    const end = await this.#separate(i)
    this.#push({ ...next, form: form | (end.form & FORM.separated), length: renewed.length + text + end.length - place.length, size: next.size + end.size - place.size })
  }
  /** The header without internal lines; what bore no date says from now on when it came. */
  #filtered(i: number, head: Buffer): FilteredHeader {
    const { dialect, date } = this.#wish
    const opening = openingOf(dialect, head, 0, head.length)
    if (opening === undefined) throw new Error(`no message begins where message ${i + 1} should`)
    if (opening.dated) return filterHeader(head, opening.after)
    const { ms, zone } = date(i)
    const start = Buffer.from(dialect.delimiter + fromLine(NOBODY, ms, zone), 'latin1')
    return filterHeader(Buffer.concat([start, head.subarray(opening.after)]), start.length)
  }
  /** Only the octets that differ. */
  async #patch(old: Buffer, renewed: Buffer): Promise<void> {
    const start = this.#w.at
    let from = 0
    while (from < old.length && old[from] === renewed[from]) from++
    let to = old.length
    while (to > from && old[to - 1] === renewed[to - 1]) to--
    if (from < to) {
      this.#w.stay(start + from)
      await this.#w.bytes(renewed.subarray(from, to), old.subarray(from, to))
    }
    this.#w.stay(start + old.length)
  }
  /** Copies the text, without CRs where that makes the same lines; returns its length. */
  async #text(i: number, from: number, to: number): Promise<number> {
    if (this.#w.sparing || !this.#wish.layout.has(i, FORM.hasCr) || (await this.#hasBareCr(from, to))) {
      await this.#copy(from, to)
      return to - from
    }
    let length = 0
    for await (const piece of this.#reader.pieces(from, to)) {
      const clean = Buffer.allocUnsafe(piece.length)
      const n = copyWithoutCr(piece, 0, piece.length, clean, 0)
      await this.#w.bytes(clean.subarray(0, n))
      length += n
    }
    return length
  }
  async #hasBareCr(from: number, to: number): Promise<boolean> {
    for await (const piece of this.#reader.pieces(from, to)) if (hasBareCr(piece)) return true
    return false
  }
  #copy(from: number, to: number): Promise<void> {
    return this.#w.copy(from, to, (first, end) => this.#reader.pieces(first, end))
  }
  /** Exactly one line end, or delimiter, follows the text; a text without a line end of its own takes one. */
  async #separate(i: number): Promise<{ form: number; length: number; size: number }> {
    const { layout, dialect } = this.#wish
    const form = layout.at(i, layout.form)
    const length = layout.at(i, layout.length)
    const size = layout.at(i, layout.size)
    const separator = separatorOf(dialect)
    const end = layout.at(i, layout.offset) + length
    const whole = layout.has(i, FORM.separated) || length === layout.at(i, layout.head) || (await this.#reader.bytes(end - 1, end))[0] === 10
    await this.#w.bytes(Buffer.from(whole || dialect.delimiter === '' ? separator : `\n${separator}`, 'latin1'))
    if (whole) return { form: form | FORM.separated, length, size }
    return { form: dialect.delimiter === '' ? form : form | FORM.separated, length: length + 1, size: size + 2 }
  }
  #place(i: number): Place {
    const l = this.#wish.layout
    return {
      uid: l.at(i, l.uid), offset: l.at(i, l.offset), head: l.at(i, l.head), length: l.at(i, l.length), header: l.at(i, l.header),
      size: l.at(i, l.size), form: l.at(i, l.form), filed: l.at(i, l.filed), print: l.at(i, l.print),
    }
  }
}

/** The base as it stands in the first message, whose internal lines begin at `at`. */
export function firstBase(at: number, validity: number, last: number, keywords: readonly string[]): Base {
  const digitsAt = at + `X-IMAPbase: ${validity} `.length
  return { kind: 'first', validity, last, digitsAt, digits: String(last).length, recordLength: 0, standard: true, keywords: [...keywords] }
}
/** Keywords of a message as the mailbox spells and orders them. */
export function inTableOrder(words: readonly string[], table: readonly string[]): readonly string[] {
  if (words.length === 0) return words
  const wanted = new Set(words.map((word) => word.toLowerCase()))
  return table.filter((name) => name !== '' && wanted.has(name.toLowerCase()))
}
function sameWords(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((word, i) => word === b[i])
}
