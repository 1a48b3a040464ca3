import { parseInternalDate } from '../internal-date.js'
import type { Dialect, Fields } from './dialect.js'

/** The line must end within so many octets. */
export const LONGEST_LINE = 64
const LF = 10
const CR = 13
const COMMA = 44
const SEMICOLON = 59

/** A record's line. */
export interface RecordLine {
  /** Octets of it, its end included. */
  readonly length: number
  readonly stored: number
  readonly ms: number
  readonly zone: number
  readonly fields: Fields
}
/** What is wrong with a record; the text has been the same for all programs of the family since ever. */
export interface Damage {
  readonly at: number
  readonly text: string
}

/** The line in `octets` from `from`, which stands at `at` in the file. */
export function parseLine(dialect: Dialect, octets: Buffer, from: number, to: number, at: number): RecordLine | Damage {
  const wrong = (what: string): Damage => ({ at, text: what })
  const end = Math.min(to, from + LONGEST_LINE)
  const lf = endOfLine(dialect, octets, from, end)
  if (lf < 0) {
    const name = dialect.lineEnd === '\n' ? 'newline' : 'CRLF'
    return wrong(`Unable to find ${name} at ${at} in ${end - from} bytes, text: ${shown(octets, from, end)}`)
  }
  const textEnd = lf + 1 - dialect.lineEnd.length
  const comma = octets.indexOf(COMMA, from)
  const semicolon = octets.indexOf(SEMICOLON, Math.max(from, comma))
  if (comma < 0 || comma >= textEnd || semicolon < 0 || semicolon >= textEnd) return wrong(`Unable to parse internal header at ${at}: ${shown(octets, from, textEnd)}`)
  // Texts are made of what is wrong alone: thousands of lines are right.
  const elements = (): string => `${shown(octets, from, comma)},${shown(octets, comma + 1, semicolon)};${shown(octets, semicolon + 1, textEnd)}`
  const inElements = (what: () => string): Damage => wrong(dialect.header === undefined ? `Unable to parse internal header elements at ${at}: ${elements()}` : what())
  const length = textEnd - semicolon - 1
  const fields = length < dialect.fieldsLength ? 'flags' : dialect.readFields(octets, semicolon + 1)
  if (fields === 'flags') return inElements(() => `Unable to parse message flags at ${at}: ${shown(octets, from, textEnd)}`)
  if (fields === 'uid' || length !== dialect.fieldsLength) return inElements(() => `Unable to parse message UID at ${at}: ${shown(octets, from, textEnd)}`)
  const stored = decimal(octets, comma + 1, semicolon)
  if (!(stored > 0)) return inElements(() => `Unable to parse message size at ${at}: ${elements()}`)
  const date = parseInternalDate(octets.toString('latin1', from, comma))
  if (date === undefined) return inElements(() => `Unable to parse message date at ${at}: ${shown(octets, from, comma)}`)
  return { length: lf + 1 - from, stored, ms: date.ms, zone: date.zone, fields }
}
/** Size and fields of a line of which is known how long it is; undefined when it is none of such a length, whatever its date says. */
export function fieldsOfLine(dialect: Dialect, octets: Buffer, length: number): Pick<RecordLine, 'stored' | 'fields'> | undefined {
  const { lineEnd, fieldsLength } = dialect
  const semicolon = length - lineEnd.length - fieldsLength - 1
  if (length > octets.length || octets[length - 1] !== LF || (lineEnd === '\r\n' && octets[length - 2] !== CR) || octets[semicolon] !== SEMICOLON) return undefined
  const comma = octets.indexOf(COMMA)
  const fields = dialect.readFields(octets, semicolon + 1)
  if (comma < 0 || comma >= semicolon || fields === 'flags' || fields === 'uid') return undefined
  return { stored: decimal(octets, comma + 1, semicolon), fields }
}
/** Index of the LF that ends the line; -1 when there is none. */
function endOfLine(dialect: Dialect, octets: Buffer, from: number, end: number): number {
  for (let i = from; i < end; i++) if (octets[i] === LF && (dialect.lineEnd === '\n' || octets[i - 1] === CR)) return i
  return -1
}
function decimal(octets: Buffer, from: number, to: number): number {
  let n = 0
  for (let i = from; i < to; i++) {
    const digit = (octets[i] ?? 0) - 48
    if (digit < 0 || digit > 9 || n > 0xffffffff) return Number.NaN
    n = n * 10 + digit
  }
  return to > from ? n : Number.NaN
}
/** Octets of the file for a message of ours: what a terminal would act on is left out. */
function shown(octets: Buffer, from: number, to: number): string {
  return octets.toString('latin1', from, to).replaceAll(/[^\x20-\x7e]/g, '?')
}

/** Whether octets begin like a record; it says nothing of its date and size. */
export function looksLikeRecord(dialect: Dialect, head: Buffer): boolean {
  const end = Math.min(head.length, LONGEST_LINE)
  const lf = head.indexOf(LF)
  const cr = head.indexOf(CR)
  const lineAt = dialect.lineEnd === '\n' ? lf : cr
  if (lineAt <= 0 || lineAt >= end || (dialect.lineEnd === '\n' ? head[lf - 1] === CR : head[cr + 1] !== LF)) return false
  const dashes = (head[2] === 45 && head[6] === 45) || (head[1] === 45 && head[5] === 45)
  const line = head.subarray(0, lineAt)
  const comma = line.indexOf(COMMA, 18)
  return dashes && comma >= 0 && line.indexOf(SEMICOLON, comma + 2) >= 0
}
