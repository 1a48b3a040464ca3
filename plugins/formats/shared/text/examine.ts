import type { Examined, FilePlace, OpenFile } from 'mailwright/api'
import { SYSTEM } from 'mailwright/api'
import type { TextContext } from './context.js'
import type { TextDialect } from './dialect.js'
import { fromLineDate, isFromLine } from './from-line.js'
import { INTERNAL, internalLine, internalNameLength, statusBits, words } from './internal-lines.js'
import { toCrlf } from '../crlf.js'

const LF = 10
const CR = 13
const NEEDLE = Buffer.from('From ')
const PIECE = 1 << 20
const FLAGS = SYSTEM.seen | SYSTEM.deleted | SYSTEM.flagged | SYSTEM.answered | SYSTEM.draft
/** The longest From line that is believed. */
const LONGEST_FROM = 1023

/** A message in the file, without what stands before its From line or header. */
interface Extent {
  readonly start: number
  readonly end: number
}

/**
 * What is readable of a file in whatever state: each From line begins a message, wherever it stands, or each delimiter ends one and begins one. Nothing is
 * written and no lock is held: for a mailbox that is damaged, or a copy of one.
 */
export async function* examineText(at: FilePlace, { dialect, files }: Pick<TextContext, 'dialect' | 'files'>, signal: AbortSignal): AsyncGenerator<Examined> {
  const file = await files.open(at.path, { keepAccessTime: true })
  try {
    const { size } = await file.stat()
    const found = await (dialect.delimiter === '' ? betweenFromLines(file, size, signal) : betweenDelimiters(Buffer.from(dialect.delimiter, 'latin1'), file, size, signal))
    const first = found[0]?.start ?? size
    if (first > dialect.delimiter.length) yield { kind: 'damage', at: 0, text: `${first} octets ${dialect.delimiter === '' ? 'before the first From line' : 'at the beginning'} belong to no message` }
    for (const { start, end } of found) {
      signal.throwIfAborted()
      const octets = Buffer.alloc(end - start)
      await file.read(octets, start)
      const nul = octets.indexOf(0)
      if (nul >= 0) yield { kind: 'damage', at: start + nul, text: `NUL octets in the message at ${start}` }
      const message = messageOf(dialect, octets, start)
      if (message !== undefined) yield message
    }
  } finally {
    await file.close()
  }
}
async function betweenFromLines(file: OpenFile, size: number, signal: AbortSignal): Promise<readonly Extent[]> {
  const starts = await fromLines(file, size, signal)
  return starts.map((start, i) => ({ start, end: starts[i + 1] ?? size }))
}
/** Where the first delimiter is gone, the first message begins at its From line. */
async function betweenDelimiters(delimiter: Buffer, file: OpenFile, size: number, signal: AbortSignal): Promise<readonly Extent[]> {
  const places = await delimiters(delimiter, file, size, signal)
  const [first] = places
  if (first === undefined) return []
  const out: Extent[] = []
  const [from] = await fromLines(file, first, signal)
  if (from !== undefined) out.push({ start: from, end: first })
  for (const [i, place] of places.entries()) {
    const extent = { start: place + delimiter.length, end: places[i + 1] ?? size }
    // Between the end of one message and the beginning of the next there is nothing.
    if (extent.end > extent.start) out.push(extent)
  }
  return out
}
/** Offsets of all delimiters, none of which overlap. */
async function delimiters(delimiter: Buffer, file: OpenFile, size: number, signal: AbortSignal): Promise<readonly number[]> {
  const out: number[] = []
  const piece = Buffer.alloc(PIECE)
  for (let base = 0; base < size; ) {
    signal.throwIfAborted()
    const n = await file.read(piece, base)
    const read = piece.subarray(0, n)
    let after = 0
    for (let i = read.indexOf(delimiter); i >= 0; i = read.indexOf(delimiter, after)) {
      out.push(base + i)
      after = i + delimiter.length
    }
    if (n === 0 || base + n >= size) break
    base += Math.max(after, n - delimiter.length + 1)
  }
  return out
}
/** Offsets of all From lines. */
async function fromLines(file: OpenFile, size: number, signal: AbortSignal): Promise<readonly number[]> {
  const out: number[] = []
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
      if (isFromLine(piece, i, piece[end - 1] === CR ? end - 1 : end)) out.push(base + i)
    }
    if (last) break
    base += usable
  }
  return out
}
async function endsLine(file: OpenFile, at: number): Promise<boolean> {
  const octet = new Uint8Array(1)
  return (await file.read(octet, at)) === 1 && octet[0] === LF
}

/** From line and internal lines are no part of what a client sees; the record of the format is no message. */
function messageOf({ delimiter }: TextDialect, octets: Buffer, at: number): Examined | undefined {
  const fromEnd = octets.indexOf(LF) < 0 ? octets.length : octets.indexOf(LF)
  const lineEnd = octets[fromEnd - 1] === CR ? fromEnd - 1 : fromEnd
  const dated = isFromLine(octets, 0, lineEnd)
  const date = dated ? fromLineDate(octets, 0, lineEnd) : undefined
  const kept: Buffer[] = []
  let bits = 0
  let keywords: readonly string[] = []
  let from = dated ? fromEnd + 1 : 0
  for (let inHeader = true; inHeader && from < octets.length; ) {
    const lf = octets.indexOf(LF, from)
    const next = lf < 0 ? octets.length : lf + 1
    const end = lf < 0 ? next : lf
    const which = internalLine(octets, from, end)
    if (which === INTERNAL.xImap) return undefined
    const value = from + internalNameLength(which)
    if (which === INTERNAL.status || which === INTERNAL.xStatus) bits |= statusBits(octets, value, end)
    else if (which === INTERNAL.xKeywords) keywords = words(octets, value, end)
    if (which === INTERNAL.none) kept.push(octets.subarray(from, next))
    inHeader = end > from && !(end === from + 1 && octets[from] === CR)
    from = next
  }
  // The empty line in front of the next From line separates the messages.
  let end = octets.length
  if (delimiter === '' && end - from >= 1 && octets[end - 1] === LF && (end - from === 1 || octets[end - 2] === LF)) end--
  if (end > from) kept.push(octets.subarray(from, end))
  const stored = Buffer.concat(kept)
  const bytes = Buffer.alloc(stored.length * 2)
  const size = toCrlf(stored, 0, stored.length, bytes, 0)
  return {
    kind: 'message', at, size, system: bits & FLAGS, keywords, ...(date === undefined ? {} : { date: { ms: date.ms, zone: date.zone } }),
    bytes: (async function* () { yield bytes.subarray(0, size) })(),
  }
}
