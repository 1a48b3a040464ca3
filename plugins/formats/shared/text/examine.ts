import type { Examined, FilePlace } from 'mailwright/api'
import { SYSTEM } from 'mailwright/api'
import { toCrlf } from '../crlf.js'
import { PatientFile, unreadableDamage, type ReadableFile } from '../patient-file.js'
import type { TextContext } from './context.js'
import type { TextDialect } from './dialect.js'
import { fromLineDate, isFromLine } from './from-line.js'
import { INTERNAL, internalLine, internalNameLength, numberAt, speltExactly, statusBits, uidBase, words, type UidBase } from './internal-lines.js'

const LF = 10
const CR = 13
const NEEDLE = Buffer.from('From ')
/** Octets that are in memory at once, twice at most. */
const PIECE = 1 << 20
const FLAGS = SYSTEM.seen | SYSTEM.deleted | SYSTEM.flagged | SYSTEM.answered | SYSTEM.draft
const RECORD_SUBJECT = /^Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA/m
/** The longest From line that is believed. */
const LONGEST_FROM = 1023

/** A message in the file, without a delimiter before or behind it. */
interface Extent {
  readonly start: number
  readonly end: number
}

/**
 * What is readable of a file in whatever state: each From line begins a message, wherever it stands, or each delimiter ends one and begins one. Nothing is
 * written and no lock is held: for a mailbox that is damaged, or a copy of one.
 */
export async function* examineText(at: FilePlace, { dialect, files }: Pick<TextContext, 'dialect' | 'files'>, signal: AbortSignal): AsyncGenerator<Examined> {
  if ((await files.stat(at.path))?.kind !== 'file') return
  const opened = await files.open(at.path, { keepAccessTime: true })
  try {
    const { size } = await opened.stat()
    const file = new PatientFile(opened, size)
    const lost = (octets: number): Examined => ({ kind: 'damage', at: 0, text: `${octets} octets ${dialect.delimiter === '' ? 'before the first From line' : 'at the beginning'} belong to no message` })
    let waiting: Looked | undefined
    let base: UidBase | undefined
    for await (const extent of dialect.delimiter === '' ? betweenFromLines(file, size, signal) : betweenDelimiters(Buffer.from(dialect.delimiter, 'latin1'), file, size, signal)) {
      const header = await headerAt(file, extent)
      if (waiting === undefined) {
        const isWhole = extent.start <= dialect.delimiter.length
        if (!isWhole) yield lost(extent.start)
        base = isWhole ? header.base : undefined
        if (base !== undefined) yield { kind: 'numbers', uidValidity: base.validity, uidNext: base.last + 1 }
      } else {
        yield* messageIn(dialect, file, waiting, header.uid, signal)
        for (const range of file.news()) yield unreadableDamage(range)
      }
      waiting = { ...extent, header }
    }
    if (waiting !== undefined) yield* messageIn(dialect, file, waiting, base === undefined ? undefined : base.last + 1, signal)
    if (waiting === undefined && size > dialect.delimiter.length) yield lost(size)
    for (const range of file.news()) yield unreadableDamage(range)
  } finally {
    await opened.close()
  }
}
async function* betweenFromLines(file: ReadableFile, size: number, signal: AbortSignal): AsyncGenerator<Extent> {
  let start: number | undefined
  for await (const end of fromLines(file, size, signal)) {
    if (start !== undefined) yield { start, end }
    start = end
  }
  if (start !== undefined) yield { start, end: size }
}
/** Where the first delimiter is gone, the first message begins at its From line. */
async function* betweenDelimiters(delimiter: Buffer, file: ReadableFile, size: number, signal: AbortSignal): AsyncGenerator<Extent> {
  let start: number | undefined
  for await (const end of delimiters(delimiter, file, size, signal)) {
    if (start === undefined) {
      for await (const from of fromLines(file, end, signal)) {
        yield { start: from, end }
        break
      }
    } else if (end > start) yield { start, end }
    // Between the end of one message and the beginning of the next there is nothing.
    start = end + delimiter.length
  }
  if (start !== undefined && size > start) yield { start, end: size }
}
/** Offsets of all delimiters, none of which overlap. */
async function* delimiters(delimiter: Buffer, file: ReadableFile, size: number, signal: AbortSignal): AsyncGenerator<number> {
  const piece = Buffer.alloc(PIECE)
  for (let base = 0; base < size; ) {
    signal.throwIfAborted()
    const n = await file.read(piece, base)
    const read = piece.subarray(0, n)
    let after = 0
    for (let i = read.indexOf(delimiter); i >= 0; i = read.indexOf(delimiter, after)) {
      yield base + i
      after = i + delimiter.length
    }
    if (n === 0 || base + n >= size) break
    base += Math.max(after, n - delimiter.length + 1)
  }
}
/** Offsets of all From lines. */
async function* fromLines(file: ReadableFile, size: number, signal: AbortSignal): AsyncGenerator<number> {
  const piece = Buffer.alloc(PIECE)
  for (let base = 0; base < size; ) {
    signal.throwIfAborted()
    const n = Math.min(await file.read(piece, base), size - base)
    if (n === 0) break
    const last = base + n >= size
    const usable = last ? n : n - LONGEST_FROM
    for (let i = piece.indexOf(NEEDLE); i >= 0 && i < usable; i = piece.indexOf(NEEDLE, i + 1)) {
      // The octet before the piece is that of the piece before, which ended a line or was looked at there.
      if (i === 0 ? base > 0 && !(await endsLine(file, base - 1)) : piece[i - 1] !== LF) continue
      const lf = piece.subarray(0, n).indexOf(LF, i)
      const end = lf < 0 ? n : lf
      if (isFromLine(piece, i, piece[end - 1] === CR ? end - 1 : end)) yield base + i
    }
    if (last) break
    base += usable
  }
}
async function endsLine(file: ReadableFile, at: number): Promise<boolean> {
  const octet = new Uint8Array(1)
  return (await file.read(octet, at)) === 1 && octet[0] === LF
}

/** A message whose header was looked at. */
interface Looked extends Extent {
  readonly header: Header
}
async function headerAt(file: ReadableFile, { start, end }: Extent): Promise<Header> {
  const head = Buffer.alloc(Math.min(PIECE, end - start))
  return headerOf(head.subarray(0, await file.read(head, start)))
}
/**
 * A message or the format's own record, and what is wrong there. `next`: UID of the message behind it, or the next to be given. Only where that is one
 * more than its own it is sure that it has not taken in a message whose beginning is destroyed.
 */
async function* messageIn({ delimiter }: TextDialect, file: ReadableFile, { start, end, header }: Looked, next: number | undefined, signal: AbortSignal): AsyncGenerator<Examined> {
  const body = start + header.octets
  const bodyEnd = delimiter === '' ? end - (await separatorAt(file, body, end)) : end
  let size = crlfSize(header.kept)
  let nul = header.nul + start
  for await (const piece of pieces(file, body, bodyEnd, signal)) {
    if (nul < start && piece.octets.includes(0)) nul = piece.at + piece.octets.indexOf(0)
    size += crlfSize(piece.octets)
  }
  if (nul >= start) yield { kind: 'damage', at: nul, text: `NUL octets in the message at ${start}` }
  // Elsewhere such a line is a message's own, of a program that does not mask it.
  if (header.hasBase && (start <= delimiter.length || RECORD_SUBJECT.test(header.kept.toString('latin1')))) return
  const { system, keywords, date, kept } = header
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    yield crlf(kept)
    for await (const { octets } of pieces(file, body, bodyEnd, signal)) yield crlf(octets)
  }
  const sure = header.uid !== undefined && header.uid + 1 === next
  yield { kind: 'message', at: start, ...(sure && { uid: header.uid }), size, system, keywords, ...(date === undefined ? {} : { date }), bytes: bytes() }
}
interface Header {
  /** From line, header and empty line; of a header larger than a piece, the lines that are whole. */
  readonly octets: number
  /** What clients see of it. */
  readonly kept: Buffer
  readonly system: number
  readonly keywords: readonly string[]
  readonly date: { readonly ms: number; readonly zone: number } | undefined
  /** It has the line that makes the first message the record of the mailbox. */
  readonly hasBase: boolean
  /** What the mailbox says of its numbers, in the header of its first message. */
  readonly base: UidBase | undefined
  /** By the one line that says it. */
  readonly uid: number | undefined
  /** The first NUL; -1: there is none. */
  readonly nul: number
}
/** From line and internal lines are no part of what a client sees. */
function headerOf(octets: Buffer): Header {
  const fromEnd = octets.indexOf(LF) < 0 ? octets.length : octets.indexOf(LF)
  const lineEnd = octets[fromEnd - 1] === CR ? fromEnd - 1 : fromEnd
  // Behind a delimiter it may be missing.
  const hasFrom = isFromLine(octets, 0, lineEnd)
  const found = hasFrom ? fromLineDate(octets, 0, lineEnd) : undefined
  const date = found === undefined ? undefined : { ms: found.ms, zone: found.zone }
  const kept: Buffer[] = []
  let bits = 0
  let keywords: readonly string[] = []
  let hasBase = false
  let base: UidBase | undefined
  const numbers: (number | undefined)[] = []
  let at = hasFrom ? Math.min(fromEnd + 1, octets.length) : 0
  for (let inHeader = true; inHeader && at < octets.length; ) {
    const lf = octets.indexOf(LF, at)
    // The beginning of a line that does not end here is left to what follows.
    if (lf < 0 && octets.length === PIECE && kept.length > 0) break
    const next = lf < 0 ? octets.length : lf + 1
    const end = lf < 0 ? next : lf
    const which = internalLine(octets, at, end)
    const value = at + internalNameLength(which)
    if (which === INTERNAL.xImap) hasBase = true
    if (which === INTERNAL.xUid) numbers.push(speltExactly(octets, at, which) ? numberAt(octets, value, end)?.value : undefined)
    if (which === INTERNAL.xImap || which === INTERNAL.xImapBase) base ??= speltExactly(octets, at, which) ? uidBase(octets, value, end) : undefined
    if (which === INTERNAL.status || which === INTERNAL.xStatus) bits |= statusBits(octets, value, end)
    else if (which === INTERNAL.xKeywords) keywords = words(octets, value, end)
    if (which === INTERNAL.none) kept.push(octets.subarray(at, next))
    inHeader = end > at && !(end === at + 1 && octets[at] === CR)
    at = next
  }
  return { octets: at, kept: Buffer.concat(kept), system: bits & FLAGS, keywords, date, hasBase, base, uid: numbers.length === 1 ? numbers[0] : undefined, nul: octets.subarray(0, at).indexOf(0) }
}
/** Octets of the empty line in front of the next From line, which separates the messages. */
async function separatorAt(file: ReadableFile, body: number, end: number): Promise<number> {
  const tail = Buffer.alloc(Math.min(3, end - body))
  const text = tail.toString('latin1', 0, await file.read(tail, end - tail.length))
  return /(?:^|\n)(\r?\n)$/.exec(text)?.[1]?.length ?? 0
}
async function* pieces(file: ReadableFile, from: number, to: number, signal: AbortSignal): AsyncGenerator<{ readonly at: number; readonly octets: Buffer }> {
  for (let at = from; at < to; ) {
    signal.throwIfAborted()
    const octets = Buffer.allocUnsafe(Math.min(PIECE, to - at))
    const got = await file.read(octets, at)
    if (got === 0) return
    yield { at, octets: octets.subarray(0, got) }
    at += got
  }
}
function crlf(octets: Buffer): Buffer {
  const into = Buffer.allocUnsafe(2 * octets.length)
  return into.subarray(0, toCrlf(octets, 0, octets.length, into, 0))
}
/** Octets that `crlf` makes of these. */
function crlfSize(octets: Buffer): number {
  let size = octets.length
  for (const octet of octets) {
    if (octet === LF) size++
    else if (octet === CR) size--
  }
  return size
}
