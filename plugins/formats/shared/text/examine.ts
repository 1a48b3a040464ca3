import type { Examined, FilePlace, OpenFile } from 'mailwright/api'
import { SYSTEM } from 'mailwright/api'
import type { TextContext } from './context.js'
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

/**
 * What is readable of a file in whatever state: each From line begins a message, wherever it stands. Nothing is written and no lock is held:
 * for a mailbox that is damaged, or a copy of one.
 */
export async function* examineText(at: FilePlace, { files }: Pick<TextContext, 'files'>, signal: AbortSignal): AsyncGenerator<Examined> {
  const file = await files.open(at.path, { keepAccessTime: true })
  try {
    const { size } = await file.stat()
    const starts = await fromLines(file, size, signal)
    const first = starts[0] ?? size
    if (first > 0) yield { kind: 'damage', at: 0, text: `${first} octets before the first From line belong to no message` }
    for (const [i, start] of starts.entries()) {
      signal.throwIfAborted()
      const octets = Buffer.alloc((starts[i + 1] ?? size) - start)
      await file.read(octets, 0 + start)
      const nul = octets.indexOf(0)
      if (nul >= 0) yield { kind: 'damage', at: start + nul, text: `NUL octets in the message at ${start}` }
      const message = messageOf(octets, start)
      if (message !== undefined) yield message
    }
  } finally {
    await file.close()
  }
}
/** Offsets of all From lines. */
async function fromLines(file: OpenFile, size: number, signal: AbortSignal): Promise<readonly number[]> {
  const out: number[] = []
  const piece = Buffer.alloc(PIECE)
  for (let base = 0; base < size; ) {
    signal.throwIfAborted()
    const n = await file.read(piece, base)
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
function messageOf(octets: Buffer, at: number): Examined | undefined {
  const fromEnd = octets.indexOf(LF) < 0 ? octets.length : octets.indexOf(LF)
  const date = fromLineDate(octets, 0, octets[fromEnd - 1] === CR ? fromEnd - 1 : fromEnd)
  const kept: Buffer[] = []
  let bits = 0
  let keywords: readonly string[] = []
  let from = fromEnd + 1
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
  if (end - from >= 1 && octets[end - 1] === LF && (end - from === 1 || octets[end - 2] === LF)) end--
  if (end > from) kept.push(octets.subarray(from, end))
  const stored = Buffer.concat(kept)
  const bytes = Buffer.alloc(stored.length * 2)
  const size = toCrlf(stored, 0, stored.length, bytes, 0)
  return {
    kind: 'message', at, size, system: bits & FLAGS, keywords, ...(date === undefined ? {} : { date: { ms: date.ms, zone: date.zone } }),
    bytes: (async function* () { yield bytes.subarray(0, size) })(),
  }
}
