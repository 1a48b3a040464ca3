/*
 * `.mxindex`: one record behind the other, nothing in between but a line's end behind a keyword. Numbers are hexadecimal.
 *
 *   V hex8   L hex8   *( K keyword LF )   *( M hex8 ; hex8 . hex4 )
 *   validity last UID                     UID  keywords flags
 */

import { longestAscending } from '../shared/ascending.js'

export const OLD = 0x10
export const SYSTEM_BITS = 0x2f
/** A message's record. */
export const RECORD_OCTETS = 23

export interface MxIndex {
  /** 0 and 0 for an empty file. */
  readonly validity: number
  readonly last: number
  /** None where one of their names is damaged. */
  readonly keywords: readonly string[]
  /** Ascending. */
  readonly records: readonly MxRecord[]
  /** Behind the last record that is one; the rest says nothing. */
  readonly end: number
  /** What stands there instead, or between records, and where. */
  readonly problems: readonly { readonly at: number; readonly text: string }[]
}
/** What most changes need of an index. */
export interface MxSummary {
  readonly validity: number
  readonly last: number
  readonly keywords: readonly string[]
  /** Where the next record goes. */
  readonly end: number
  /** UID of the last record, and how many there are. */
  readonly highest: number
  readonly count: number
}
export interface MxRecord {
  readonly uid: number
  readonly keywords: number
  readonly flags: number
  /** Place in the file. */
  readonly at: number
}

const hex8 = (n: number): string => n.toString(16).padStart(8, '0')

/** How a record of the index looks; a keyword's goes on to the end of the line. */
const RECORD = /V([0-9a-f]{8})|L([0-9a-f]{8})|K([^\n]{0,64})\n|M([0-9a-f]{8});([0-9a-f]{8})\.([0-9a-f]{4})/iy
/** What can be found behind damage; letters and digits alone may be a part of something else. */
const FINDABLE = /M[0-9a-f]{8};[0-9a-f]{8}\.[0-9a-f]{4}/gi

/** Damage is passed over up to the next record of a message. */
export function parseMxIndex(bytes: Uint8Array): MxIndex {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  const keywords: string[] = []
  let names: 'there' | 'doubtful' | 'lost' = 'there'
  const found: MxRecord[] = []
  const problems: { at: number; text: string }[] = []
  let validity = 0
  let last = 0
  let end = 0
  const hex = (digits: string | undefined): number => Number.parseInt(digits ?? '', 16)
  for (let at = 0; at < text.length; ) {
    RECORD.lastIndex = at
    const match = RECORD.exec(text)
    if (match === null) {
      problems.push({ at, text: `Error in index: ${text.slice(at, at + 40).replaceAll(/[^\x20-\x7e]/g, '?')}` })
      FINDABLE.lastIndex = at
      const next = FINDABLE.exec(text)
      if (next === null) break
      // Records of messages, or names: one name less would give the bits of all that follow to other names.
      if (found.length === 0) names = (next.index - at) % RECORD_OCTETS === 0 ? 'doubtful' : 'lost'
      at = next.index
      continue
    }
    const [whole, v, l, k, uid, mask, flags] = match
    if (v !== undefined) validity = hex(v)
    else if (l !== undefined) last = hex(l)
    else if (k !== undefined) keywords.push(k.replace(/\r$/, ''))
    else found.push({ uid: hex(uid), keywords: hex(mask), flags: hex(flags), at })
    at = end = at + whole.length
  }
  const kept = longestAscending(found.map((r) => r.uid))
  if (kept.length < found.length) {
    const isKept = new Set(kept)
    for (const [i, { at, uid }] of found.entries()) if (!isKept.has(i)) problems.push({ at, text: `Error in index: UID ${uid} is out of order` })
  }
  const named = 2 ** keywords.length
  const isLost = names === 'lost' || (names === 'doubtful' && found.some((r) => r.keywords >= named))
  return { validity, last, keywords: isLost ? [] : keywords, records: kept.flatMap((i) => found[i] ?? []), end, problems }
}
export function summaryOf({ validity, last, keywords, end, records }: MxIndex): MxSummary {
  return { validity, last, keywords, end, highest: records.at(-1)?.uid ?? 0, count: records.length }
}
/** Of the record that says UIDVALIDITY, the first of an index. */
export const VALIDITY_OCTETS = 9
/** Octets in which the head of an index ends: 30 names of 64 octets at most. */
export const HEAD_ROOM = 2048
const HEAD = /^V([0-9a-f]{8})L([0-9a-f]{8})((?:K[^\n]{0,64}\n)*)(?=M|$)/i
const LAST = /^M([0-9a-f]{8});[0-9a-f]{8}\.[0-9a-f]{4}$/i
/**
 * The same from the first octets and the last record, for an index that has nothing but records behind its head; undefined for any other, which has to
 * be read whole.
 */
export function summaryByEnds(first: Buffer, lastRecord: Buffer, size: number): MxSummary | undefined {
  const head = HEAD.exec(first.toString('latin1'))
  if (head === null || (first.length < size && head[0].length === first.length)) return undefined
  const [whole, validity = '', last = '', names = ''] = head
  const octets = size - whole.length
  const record = octets === 0 ? undefined : LAST.exec(lastRecord.toString('latin1'))
  if (octets % RECORD_OCTETS !== 0 || record === null || Number.parseInt(validity, 16) === 0) return undefined
  const keywords = names.split('\n').slice(0, -1).map((name) => name.slice(1).replace(/\r$/, ''))
  return {
    validity: Number.parseInt(validity, 16), last: Number.parseInt(last, 16), keywords, end: size,
    highest: Number.parseInt(record?.[1] ?? '0', 16), count: octets / RECORD_OCTETS,
  }
}
export function headText(validity: number, last: number, keywords: readonly string[]): string {
  return `V${hex8(validity)}L${hex8(last)}${keywords.map((k) => `K${k}\n`).join('')}`
}
export function recordText(uid: number, keywords: number, flags: number): string {
  return `M${hex8(uid)};${hex8(keywords)}.${flags.toString(16).padStart(4, '0')}`
}
