import type { Examined, FilePlace, GivenNumbers } from 'mailwright/api'
import { toCrlf } from '../crlf.js'
import { isKeyword } from '../keyword-bits.js'
import { PatientFile, unreadableDamage } from '../patient-file.js'
import { SYSTEM_BITS, BIT, type Dialect } from './dialect.js'
import type { FixedContext } from './context.js'
import { KeywordBits } from './keyword-bits.js'
import { Measure } from './measure.js'
import { LONGEST_LINE } from './record.js'
import { scanRecords, type Passed } from './scan.js'

const PIECE = 1 << 16
/** Octets in which a line and the first field of a header are looked for. */
const HEAD = 1024

/**
 * What is readable of a file in whatever state, and what is wrong with it. Nothing is written and no lock is held: for a mailbox that is damaged,
 * or a copy of one.
 */
export async function* examineFixed(dialect: Dialect, at: FilePlace, { files }: Pick<FixedContext, 'files'>, signal: AbortSignal): AsyncGenerator<Examined> {
  if ((await files.stat(at.path))?.kind !== 'file') return
  const opened = await files.open(at.path, { keepAccessTime: true })
  try {
    const { size } = await opened.stat()
    const file = new PatientFile(opened, size)
    const { problems: wrongHead, keywords, from, numbers } = await headOf(dialect, file)
    for (const text of wrongHead) yield { kind: 'damage', at: 0, text }
    if (wrongHead.length === 0 && numbers !== undefined) yield { kind: 'numbers', ...numbers }
    const { records, problems, passed } = await scanRecords(file, dialect, from, size, signal)
    let next = 0
    for (const range of file.news()) yield unreadableDamage(range)
    // Where the record is gone the search began at the first octet, and did not find one there.
    let told = from > 0 || dialect.header === undefined ? 0 : 1
    for (const { offset, line, stored, size: asClientsSeeIt } of records) {
      for (; told < problems.length && (problems[told]?.at ?? 0) <= offset; told++) yield { kind: 'damage', ...(problems[told] ?? { at: offset, text: '' }) }
      for (; next < passed.length && (passed[next]?.from ?? 0) < offset; next++) yield* withoutRecord(dialect, file, passed[next])
      if ((line.fields.flags & BIT.hidden) !== 0) continue
      yield {
        kind: 'message',
        // Of another size than its line says it may have lost something, or have taken in another.
        ...(line.fields.uid > 0 && stored === line.stored && { uid: line.fields.uid }),
        at: offset,
        size: asClientsSeeIt,
        system: line.fields.flags & SYSTEM_BITS,
        keywords: keywords.words(line.fields.keywords),
        date: { ms: line.ms, zone: line.zone },
        bytes: clientText(dialect, file, offset + line.length, stored),
      }
      for (const range of file.news()) yield unreadableDamage(range)
    }
    for (; told < problems.length; told++) yield { kind: 'damage', ...(problems[told] ?? { at: size, text: '' }) }
    for (; next < passed.length; next++) yield* withoutRecord(dialect, file, passed[next])
  } finally {
    await opened.close()
  }
}
/** What the mailbox says of itself, where it can be read, and where its messages begin. */
async function headOf({ header: kind, title }: Dialect, file: PatientFile): Promise<{ readonly problems: readonly string[]; readonly keywords: KeywordBits; readonly from: number; readonly numbers?: Required<GivenNumbers> }> {
  if (kind === undefined) return { problems: [], keywords: new KeywordBits([]), from: 0 }
  const head = Buffer.alloc(kind.length)
  const got = await file.read(head, 0)
  const header = got === head.length ? kind.parse(head) : undefined
  if (header === undefined) return { problems: [`the first ${kind.length} octets are no ${title} record: keywords and UIDVALIDITY are lost`], keywords: new KeywordBits([]), from: 0 }
  const bad = header.keywords.filter((word) => !isKeyword(word))
  return {
    problems: bad.map((word) => `a name of a keyword is damaged: ${word.replaceAll(/[^\x20-\x7e]/g, '?')}`),
    keywords: new KeywordBits(header.keywords.map((word) => (isKeyword(word) ? word : ''))),
    from: kind.length,
    ...(header.validity > 0 && { numbers: { uidValidity: header.validity, uidNext: header.last + 1 } }),
  }
}
/** A field of a message's header. */
const FIELD = /^[!-9;-~]+:/
/** What stands behind a line that is no record, when it begins as messages do: a message without flags and date. */
async function* withoutRecord(dialect: Dialect, file: PatientFile, { from, to }: Passed = { from: 0, to: 0 }): AsyncGenerator<Examined> {
  const head = Buffer.alloc(Math.min(HEAD, to - from))
  const text = head.toString('latin1', 0, await file.read(head, from))
  const line = text.indexOf(dialect.lineEnd)
  const at = from + line + dialect.lineEnd.length
  if (line < 0 || line >= LONGEST_LINE || !FIELD.test(text.slice(at - from))) return
  const measure = new Measure(dialect)
  for (let done = at; done < to; ) {
    const piece = Buffer.allocUnsafe(Math.min(PIECE, to - done))
    const n = await file.read(piece, done)
    if (n === 0) break
    measure.add(piece.subarray(0, n))
    done += n
  }
  yield { kind: 'message', at: from, size: measure.size, system: 0, keywords: [], bytes: clientText(dialect, file, at, to - at) }
}
/** Octets of a message with CRLF line ends. */
async function* clientText(dialect: Dialect, file: PatientFile, at: number, stored: number): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < stored; ) {
    const piece = Buffer.allocUnsafe(Math.min(PIECE, stored - done))
    const n = await file.read(piece, at + done)
    if (n === 0) return
    if (dialect.text === 'as-is') yield piece.subarray(0, n)
    else {
      const text = Buffer.allocUnsafe(2 * n)
      yield text.subarray(0, toCrlf(piece, 0, n, text, 0))
    }
    done += n
  }
}
