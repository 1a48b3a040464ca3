import { MailError } from 'mailwright/api'
import { dayOf } from 'mailwright/toolkit'
import { firstFrom } from '../shared/rows-of-set.js'

/*
 * Records of the control files. Numbers are eight hexadecimal digits, lower case when written, either case when read. Lines end with CRLF.
 */

const COLON = 58
const LF = 10
const MINUS = 45
const PLUS = 43
const DAY_MS = 86_400_000

/** `S`, eight digits, CRLF: the first record of each control file. An empty file counts as sequence 1. */
export const SEQUENCE_OCTETS = 11
/** A line of the index as it is written; a longer one has fields that are skipped. */
export const INDEX_OCTETS = 77
/** A line of the status file. */
export const STATUS_OCTETS = 35
/** Programs of the family read lines up to 1024 octets. */
export const LONGEST_LINE = 900
/** System flags and `old` (somebody has seen that it came), as in the status file. */
export const OLD = 0x10
export const SYSTEM_BITS = 0x2f

export function hex8(n: number): string {
  return n.toString(16).padStart(8, '0')
}
export function sequenceRecord(sequence: number): Buffer {
  return Buffer.from(`S${hex8(sequence)}\r\n`)
}
/** Sequence of a control file from its first octets. */
export function parseSequence(head: Uint8Array, what: string): number {
  if (head.length === 0) return 1
  const text = latin1(head.subarray(0, SEQUENCE_OCTETS))
  const found = /^S([0-9a-f]{1,8})\r\n/i.exec(text)
  if (found?.[1] === undefined) throw new MailError('corrupt', `Error in ${what}: ${printable(text)}`)
  return Number.parseInt(found[1], 16)
}

// ---- metadata

export interface Meta {
  readonly sequence: number
  readonly validity: number
  /** The last UID that was given. */
  readonly last: number
  /** Number of the data file that new messages go to. */
  readonly file: number
  readonly keywords: readonly string[]
}
const META_FIELDS = [
  ['S', 'sequence'],
  ['V', 'UIDVALIDITY'],
  ['L', 'UIDLAST'],
  ['N', 'new msg'],
] as const

/** The last line may lack its end; lines of other kinds are passed over. @throws MailError `corrupt` */
export function parseMeta(bytes: Uint8Array): Meta {
  const { meta, problems } = lenientMeta(bytes)
  if (problems[0] !== undefined) throw new MailError('corrupt', problems[0])
  return meta
}
/** What can be read of metadata, and what is wrong with them. */
export function lenientMeta(bytes: Uint8Array): { readonly meta: Meta; readonly problems: readonly string[] } {
  const lines = latin1(bytes).split(/\r?\n/)
  const problems: string[] = []
  const numbers = META_FIELDS.map(([key, what]) => {
    const line = lines.find((l) => l.startsWith(key))
    if (line !== undefined && /^.[0-9a-f]{1,8}$/i.test(line)) return Number.parseInt(line.slice(1), 16)
    problems.push(`Error in mix metadata file ${what}: ${printable(line ?? '')}`)
    return undefined
  })
  const [sequence = 1, validity = 0, last = 0, file = 0] = numbers
  const words = lines.filter((l) => l.startsWith('K')).flatMap((l) => l.slice(1).split(' '))
  return { meta: { sequence, validity, last, file, keywords: words.filter((w) => w !== '') }, problems }
}
export function metaText({ sequence, validity, last, file, keywords }: Meta): Buffer {
  const words = keywords.length === 0 ? '' : `K${keywords.join(' ')}\r\n`
  return Buffer.from(`S${hex8(sequence)}\r\nV${hex8(validity)}\r\nL${hex8(last)}\r\nN${hex8(file)}\r\n${words}`, 'latin1')
}

// ---- index

/** One message of the index. */
export interface IndexRecord {
  readonly uid: number
  readonly ms: number
  readonly zone: number
  readonly size: number
  /** Number of its data file, and place in it. */
  readonly file: number
  readonly at: number
  /** Octets of the record in front of the message. */
  readonly internal: number
  readonly header: number
}
/** The index in columns, in the order of the file. */
export class IndexTable {
  count = 0
  readonly uid: Uint32Array
  readonly size: Uint32Array
  readonly file: Uint32Array
  readonly at: Uint32Array
  readonly internal: Uint32Array
  readonly header: Uint32Array
  readonly zone: Int16Array
  readonly ms: Float64Array
  /** Where the line begins in the index. */
  readonly line: Float64Array
  /** Behind the last whole line; what follows was not finished by whoever wrote it. */
  end = 0
  constructor(room: number) {
    this.uid = new Uint32Array(room)
    this.size = new Uint32Array(room)
    this.file = new Uint32Array(room)
    this.at = new Uint32Array(room)
    this.internal = new Uint32Array(room)
    this.header = new Uint32Array(room)
    this.zone = new Int16Array(room)
    this.ms = new Float64Array(room)
    this.line = new Float64Array(room)
  }
  /** Position of a uid, or -1. */
  find(uid: number): number {
    const i = firstFrom(this.uid, this.count, uid)
    return i < this.count && this.uid[i] === uid ? i : -1
  }
}

/** @throws MailError `corrupt` for a line that is no record; one without its end is left for the next writer. */
export function parseIndex(bytes: Buffer): IndexTable {
  const table = new IndexTable(Math.ceil(Math.max(0, bytes.length - SEQUENCE_OCTETS) / INDEX_OCTETS) + 1)
  table.end = Math.min(bytes.length, SEQUENCE_OCTETS)
  const fields = new Fields(bytes)
  let last = 0
  for (let at = SEQUENCE_OCTETS; at < bytes.length; ) {
    const end = lineEnd(bytes, at)
    if (end < 0) break
    const i = table.count
    fields.start(at, end, 'mix index file')
    const uid = (table.uid[i] = fields.number('UID'))
    fields.date()
    table.ms[i] = fields.ms
    table.zone[i] = fields.zone
    table.size[i] = fields.number('RFC822.SIZE')
    table.file[i] = fields.number('file number')
    table.at[i] = fields.number('position')
    table.internal[i] = fields.number('internal size')
    table.header[i] = fields.number('header size')
    table.line[i] = at
    if (uid <= last) throw new MailError('corrupt', `mix index data unexpunged UID: ${hex8(uid)}`)
    last = uid
    table.count++
    table.end = at = end
  }
  return table
}

// ---- status

/** Flags in columns, in the order of the file. */
export interface StatusTable {
  readonly count: number
  readonly uid: Uint32Array
  readonly keywords: Uint32Array
  readonly flags: Uint16Array
  readonly line: Float64Array
  readonly end: number
  /** Lines that are no records: their messages have no flags. */
  readonly problems: readonly string[]
}
export function parseStatus(bytes: Buffer): StatusTable {
  const room = Math.ceil(Math.max(0, bytes.length - SEQUENCE_OCTETS) / 2) + 1
  const many = Math.min(room, Math.ceil(bytes.length / (STATUS_OCTETS - 24)) + 1)
  const uid = new Uint32Array(many)
  const keywords = new Uint32Array(many)
  const flags = new Uint16Array(many)
  const line = new Float64Array(many)
  const problems: string[] = []
  const fields = new Fields(bytes)
  let count = 0
  let whole = Math.min(bytes.length, SEQUENCE_OCTETS)
  for (let at = SEQUENCE_OCTETS; at < bytes.length; ) {
    const end = lineEnd(bytes, at)
    if (end < 0) break
    try {
      fields.start(at, end, 'mix status file')
      uid[count] = fields.number('UID')
      keywords[count] = fields.number('keywords')
      flags[count] = fields.number('flags')
      fields.number('modseq')
      line[count] = at
      if (count === 0 || (uid[count] ?? 0) > (uid[count - 1] ?? 0)) count++
    } catch {
      problems.push(`Error in mix status file message record, fixing: ${printable(latin1(bytes.subarray(at, end - 2)))}`)
    }
    whole = at = end
  }
  return { count, uid, keywords, flags, line, end: whole, problems }
}
// ---- data

/** The record in front of a message. */
export const DATA_OCTETS = 45
const TOKEN = Buffer.from(':msg:')
/** What the record in front of a message says. */
export interface DataRecord {
  readonly uid: number
  readonly ms: number
  readonly zone: number
  readonly size: number
}
/** Undefined when no whole record stands there. */
export function parseDataRecord(bytes: Buffer, at: number): DataRecord | undefined {
  if (bytes.length < at + DATA_OCTETS || TOKEN.compare(bytes, at, at + TOKEN.length) !== 0 || bytes[at + DATA_OCTETS - 1] !== LF) return undefined
  try {
    const fields = new Fields(bytes)
    fields.start(at + TOKEN.length - 1, at + DATA_OCTETS, 'mix data file')
    const uid = fields.number('UID')
    fields.date()
    return { uid, ms: fields.ms, zone: fields.zone, size: fields.number('RFC822.SIZE') }
  } catch {
    return undefined
  }
}
/** Whether the octets are the record of this message. */
export function isDataRecord(bytes: Buffer, at: number, uid: number, size: number): boolean {
  if (bytes.length < at + DATA_OCTETS || TOKEN.compare(bytes, at, at + TOKEN.length) !== 0) return false
  return hexAt(bytes, at + 5, at + 13) === uid && hexAt(bytes, at + 34, at + 42) === size
}

// ---- lines

/** Behind CRLF, or -1 when the line has no end. Octets of value 0 are room that a program made and did not fill. */
function lineEnd(bytes: Buffer, from: number): number {
  const lf = bytes.indexOf(LF, from)
  return lf < 0 || bytes[from] === 0 ? -1 : lf + 1
}
const DIGIT = new Int8Array(256).fill(-1)
for (let i = 0; i < 10; i++) DIGIT[48 + i] = i
for (let i = 0; i < 6; i++) DIGIT[65 + i] = DIGIT[97 + i] = 10 + i
function hexAt(bytes: Buffer, from: number, to: number): number {
  let value = 0
  for (let i = from; i < to; i++) {
    const digit = DIGIT[bytes[i] ?? 0] ?? -1
    if (digit < 0) return -1
    value = value * 16 + digit
  }
  return value
}

/** Fields of one line after another, without a string for each. */
class Fields {
  ms = 0
  zone = 0
  readonly #bytes: Buffer
  #at = 0
  #from = 0
  #end = 0
  #what = ''
  #day = ''
  #dayMs = 0
  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }
  start(at: number, end: number, what: string): void {
    this.#from = this.#at = at
    this.#end = end
    this.#what = what
    if (this.#bytes[at] !== COLON) throw new MailError('corrupt', `Unknown record in ${what}: ${this.#line}`)
    this.#at++
  }
  get #line(): string {
    return printable(latin1(this.#bytes.subarray(this.#from, Math.min(this.#end - 2, this.#from + 100))))
  }
  /** One to eight hexadecimal digits and a colon. */
  number(field: string): number {
    const bytes = this.#bytes
    let value = 0
    let at = this.#at
    for (; bytes[at] !== COLON; at++) {
      const digit = DIGIT[bytes[at] ?? 0] ?? -1
      if (digit < 0 || at - this.#at >= 8) throw new MailError('corrupt', `Error in ${field} in ${this.#what}: ${this.#line}`)
      value = value * 16 + digit
    }
    if (at === this.#at || at >= this.#end) throw new MailError('corrupt', `Error in ${field} in ${this.#what}: ${this.#line}`)
    this.#at = at + 1
    return value
  }
  date(): void {
    const bytes = this.#bytes
    const at = this.#at
    const sign = bytes[at + 14]
    const day = bytes.toString('latin1', at, at + 8)
    if (day !== this.#day) {
      this.#day = day
      this.#dayMs = dayOf(this.#decimal(at, at + 4), this.#decimal(at + 4, at + 6), this.#decimal(at + 6, at + 8)) * DAY_MS
    }
    const seconds = this.#decimal(at + 8, at + 10) * 3600 + this.#decimal(at + 10, at + 12) * 60 + this.#decimal(at + 12, at + 14)
    const minutes = this.#decimal(at + 15, at + 17) * 60 + this.#decimal(at + 17, at + 19)
    this.zone = sign === MINUS ? 0 - minutes : minutes
    this.ms = this.#dayMs + seconds * 1000 - this.zone * 60_000
    if (Number.isNaN(this.ms) || (sign !== MINUS && sign !== PLUS) || bytes[at + 19] !== COLON) throw new MailError('corrupt', `Error in internaldate in ${this.#what}: ${this.#line}`)
    this.#at = at + 20
  }
  #decimal(from: number, to: number): number {
    let value = 0
    for (let i = from; i < to; i++) {
      const digit = DIGIT[this.#bytes[i] ?? 0] ?? -1
      if (digit < 0 || digit > 9) return Number.NaN
      value = value * 10 + digit
    }
    return value
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
/** For messages about damaged files. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 100)
}
