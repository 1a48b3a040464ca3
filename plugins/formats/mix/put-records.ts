import type { IndexRecord } from './records.js'

/*
 * Records are put into octets digit by digit: strings for their fields cost more than everything else that a message costs.
 */

const [COLON, PLUS, MINUS, CR, LF] = [58, 43, 45, 13, 10]
const ZERO = 48
const DAY_MS = 86_400_000
const DIGITS = Buffer.from('0123456789abcdef')
const TOKEN = Buffer.from(':msg')

/** `:uid:date:size:file:at:internal:header:` and CRLF, of `INDEX_OCTETS`. */
export function putIndexLine(bytes: Uint8Array, at: number, r: IndexRecord): void {
  let end = putDate(bytes, putNumber(bytes, at, r.uid), r.ms, r.zone)
  end = putNumber(bytes, end, r.size)
  end = putNumber(bytes, end, r.file)
  end = putNumber(bytes, end, r.at)
  end = putNumber(bytes, end, r.internal)
  putEnd(bytes, putNumber(bytes, end, r.header))
}
/** `:uid:keywords:flags:modseq:` and CRLF, of `STATUS_OCTETS`. */
export function putStatusLine(bytes: Uint8Array, at: number, r: { readonly uid: number; readonly keywords: number; readonly flags: number; readonly modseq: number }): void {
  const flags = putNumber(bytes, putNumber(bytes, at, r.uid), r.keywords)
  putEnd(bytes, putNumber(bytes, putNumber(bytes, flags, r.flags, 4), r.modseq))
}
/** The record in front of a message, of `DATA_OCTETS`. */
export function putDataRecord(bytes: Uint8Array, at: number, r: Pick<IndexRecord, 'uid' | 'ms' | 'zone' | 'size'>): void {
  bytes.set(TOKEN, at)
  const date = putNumber(bytes, at + TOKEN.length, r.uid)
  putEnd(bytes, putNumber(bytes, putDate(bytes, date, r.ms, r.zone), r.size))
}

function putEnd(bytes: Uint8Array, at: number): void {
  bytes[at] = COLON
  bytes[at + 1] = CR
  bytes[at + 2] = LF
}
/** Colon and hexadecimal digits; where they end. */
function putNumber(bytes: Uint8Array, at: number, value: number, digits = 8): number {
  bytes[at] = COLON
  let rest = value
  for (let i = at + digits; i > at; i--) {
    bytes[i] = DIGITS[rest & 15] ?? ZERO
    rest >>>= 4
  }
  return at + 1 + digits
}
/** Colon and `yyyymmddhhmmss+hhmm`; where it ends. */
function putDate(bytes: Uint8Array, at: number, ms: number, zone: number): number {
  const local = ms + zone * 60_000
  const day = new Date(local)
  const seconds = Math.floor((((local % DAY_MS) + DAY_MS) % DAY_MS) / 1000)
  const minutes = Math.abs(zone)
  bytes[at] = COLON
  putDecimal(bytes, at + 1, day.getUTCFullYear(), 4)
  putDecimal(bytes, at + 5, day.getUTCMonth() + 1, 2)
  putDecimal(bytes, at + 7, day.getUTCDate(), 2)
  putDecimal(bytes, at + 9, Math.floor(seconds / 3600), 2)
  putDecimal(bytes, at + 11, Math.floor(seconds / 60) % 60, 2)
  putDecimal(bytes, at + 13, seconds % 60, 2)
  bytes[at + 15] = zone < 0 ? MINUS : PLUS
  putDecimal(bytes, at + 16, Math.floor(minutes / 60), 2)
  putDecimal(bytes, at + 18, minutes % 60, 2)
  return at + 20
}
function putDecimal(bytes: Uint8Array, at: number, value: number, digits: number): void {
  let rest = Math.max(0, value)
  for (let i = at + digits - 1; i >= at; i--) {
    bytes[i] = ZERO + (rest % 10)
    rest = Math.floor(rest / 10)
  }
}
