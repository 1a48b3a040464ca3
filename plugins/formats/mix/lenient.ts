import { longestAscending } from '../shared/ascending.js'
import { hex8, parseIndex, parseSequence, sequenceRecord, SEQUENCE_OCTETS, type IndexRecord } from './records.js'

/*
 * Control files in whatever state: each record that can be read, wherever it stands.
 */

/** What is wrong with a control file, and at which octet. */
export interface Wrong {
  readonly at: number
  readonly text: string
}
/** UIDs from one to another, both not included, of which the index may not tell any more. */
export interface Gap {
  readonly from: number
  readonly to: number
}
export interface LenientIndex {
  /** Ascending. */
  readonly entries: readonly IndexRecord[]
  readonly gaps: readonly Gap[]
  readonly problems: readonly Wrong[]
}
const INDEX_RECORD = /:[0-9a-f]{1,8}:\d{14}[+-]\d{4}(?::[0-9a-f]{1,8}){5}:/gi
/** What may stand between two records: the end of the line, and what a line was stretched over. */
const BETWEEN = /^-*\r\n$/
/** Room at the end that a program made and did not fill. */
const UNFILLED = /^\0+$/

/** Records of an index. `given`: the mailbox has given UIDs, so that an index without any octet was lost. */
export function lenientIndex(bytes: Buffer, given: boolean): LenientIndex {
  if (bytes.length === 0) return given ? { entries: [], gaps: [ALL], problems: [{ at: 0, text: 'the mix index is empty' }] } : { entries: [], gaps: [], problems: [] }
  const text = bytes.toString('latin1')
  const problems: Wrong[] = [...wrongSequence(bytes, 'mix index sequence record')]
  const found: { readonly entry: IndexRecord; readonly at: number }[] = []
  /** How many records stand before a place of damage. */
  const holes: number[] = []
  let end = Math.min(SEQUENCE_OCTETS, text.length)
  const passOver = (to: number, last: boolean): void => {
    const skipped = text.slice(end, to)
    if (skipped === '' ? found.length === 0 : found.length > 0 && BETWEEN.test(skipped)) return
    const gone = found.length > 0 ? skipped.replace(LINE_END, '') : skipped
    if (last && UNFILLED.test(gone)) return
    problems.push({ at: to - gone.length, text: `Unknown record in mix index file: ${shown(gone)}` })
    holes.push(found.length)
  }
  for (const match of text.matchAll(INDEX_RECORD)) {
    if (match.index < end) continue
    const entry = entryOf(match[0])
    if (entry === undefined) continue
    passOver(match.index, false)
    found.push({ entry, at: match.index })
    end = match.index + match[0].length
  }
  passOver(text.length, true)
  const kept = new Set(longestAscending(found.map(({ entry }) => entry.uid)))
  const entries: IndexRecord[] = []
  /** How many entries are good in front of each record. */
  const goodBefore: number[] = []
  for (const [i, { entry, at }] of found.entries()) {
    goodBefore.push(entries.length)
    if (kept.has(i)) entries.push(entry)
    else {
      problems.push({ at, text: `mix index data unexpunged UID: ${hex8(entry.uid)}` })
      holes.push(i)
    }
  }
  const gaps = holes.map((i) => {
    const next = goodBefore[i] ?? entries.length
    return { from: entries[next - 1]?.uid ?? ALL.from, to: entries[next]?.uid ?? ALL.to }
  })
  return { entries, gaps, problems }
}
const ALL: Gap = { from: 0, to: 0x100000000 }
const LINE_END = /^-*\r\n/
function entryOf(text: string): IndexRecord | undefined {
  try {
    const table = parseIndex(Buffer.concat([sequenceRecord(1), Buffer.from(`${text}\r\n`, 'latin1')]))
    const [uid = 0, ms = 0, zone = 0] = [table.uid[0], table.ms[0], table.zone[0]]
    return { uid, ms, zone, size: table.size[0] ?? 0, file: table.file[0] ?? 0, at: table.at[0] ?? 0, internal: table.internal[0] ?? 0, header: table.header[0] ?? 0 }
  } catch {
    return undefined
  }
}

/** Flags of a message as the status file has them. */
export interface LenientFlags {
  readonly keywords: number
  readonly flags: number
}
const STATUS_RECORD = /:([0-9a-f]{1,8}):([0-9a-f]{1,8}):([0-9a-f]{1,4}):([0-9a-f]{1,8}):\r\n/gi

/** Flags by UID. */
export function lenientStatus(bytes: Buffer): { readonly flags: ReadonlyMap<number, LenientFlags>; readonly problems: readonly Wrong[] } {
  const flags = new Map<number, LenientFlags>()
  if (bytes.length === 0) return { flags, problems: [] }
  const text = bytes.toString('latin1')
  const problems: Wrong[] = [...wrongSequence(bytes, 'mix status sequence record')]
  const found: (LenientFlags & { readonly uid: number; readonly at: number })[] = []
  let end = Math.min(SEQUENCE_OCTETS, text.length)
  const passOver = (to: number): void => {
    const skipped = text.slice(end, to)
    if (skipped !== '' && !(to === text.length && UNFILLED.test(skipped))) problems.push({ at: end, text: `Error in mix status file message record, fixing: ${shown(skipped)}` })
  }
  for (const match of text.matchAll(STATUS_RECORD)) {
    if (match.index < end) continue
    passOver(match.index)
    const [uid = 0, keywords = 0, bits = 0] = match.slice(1).map((digits) => Number.parseInt(digits, 16))
    found.push({ uid, keywords, flags: bits, at: match.index })
    end = match.index + match[0].length
  }
  passOver(text.length)
  const kept = new Set(longestAscending(found.map(({ uid }) => uid)))
  for (const [i, { uid, at, ...rest }] of found.entries()) {
    if (kept.has(i)) flags.set(uid, rest)
    else problems.push({ at, text: `UID ${hex8(uid)} is out of order in mix status file` })
  }
  return { flags, problems }
}
function wrongSequence(bytes: Buffer, what: string): readonly Wrong[] {
  try {
    parseSequence(bytes.subarray(0, SEQUENCE_OCTETS), what)
    return []
  } catch (error) {
    return [{ at: 0, text: error instanceof Error ? error.message : String(error) }]
  }
}
function shown(text: string): string {
  return text.slice(0, 100).replaceAll(/[^\x20-\x7e]/g, '?')
}
