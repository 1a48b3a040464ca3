import { asBuffer, latin1 } from './octets.js'

const LF = 0x0a
const CR = 0x0d
const SP = 0x20
const TAB = 0x09

/**
 * Hears of each field of a header: name from `at` to `nameEnd`, value (with its line breaks) from `valueAt` to `end`. A line that is no field
 * (no colon, or white space before any field) has `nameEnd` -1.
 */
export type FieldVisitor = (at: number, nameEnd: number, valueAt: number, end: number) => void

/**
 * Walks the fields of the header at `from`; returns where its blank line ends, or `to` when there is none.
 * Lines end at LF, with or without CR; a bare CR is text. A line of white space alone continues a field.
 */
export function eachField(octets: Uint8Array, from: number, to: number, visit: FieldVisitor): number {
  const end = eachFieldOf(latin1(octets, from, to), (at, nameEnd, valueAt, fieldEnd) => visit(from + at, nameEnd === -1 ? -1 : from + nameEnd, from + valueAt, from + fieldEnd))
  return from + end
}

/**
 * The same of a header as Latin-1, where an octet is a character. The engine's own search finds line ends and colons: it is as fast in a
 * process that has just begun, in which a loop over octets takes many times what it takes later.
 */
export function eachFieldOf(text: string, visit: FieldVisitor): number {
  const to = text.length
  // Where each of them stands next; looked for again when it was passed.
  let colon = -1
  let space = -1
  let tab = -1
  for (let at = 0; at < to; ) {
    const first = text.charCodeAt(at)
    if (first === LF) return at + 1
    if (first === CR && text.charCodeAt(at + 1) === LF) return at + 2
    if (colon < at) colon = next(text, ':', at)
    if (space < at) space = next(text, ' ', at)
    if (tab < at) tab = next(text, '\t', at)
    let lf = next(text, '\n', at)
    let nameEnd = colon < lf ? colon : at
    while (nameEnd > at && isBlank(text.charCodeAt(nameEnd - 1))) nameEnd--
    const isField = nameEnd > at && space >= nameEnd && tab >= nameEnd
    while (lf < to && isBlank(text.charCodeAt(lf + 1))) lf = next(text, '\n', lf + 1)
    const end = Math.min(to, lf + 1)
    visit(at, isField ? nameEnd : -1, isField ? colon + 1 : at, end)
    at = end
  }
  return to
}
/** Where a character stands next, or the end. */
function next(text: string, character: string, from: number): number {
  const found = text.indexOf(character, from)
  return found === -1 ? text.length : found
}
function isBlank(c: number): boolean {
  return c === SP || c === TAB
}

/** Where the header ends that begins at `from`, its blank line included; the end of the octets when there is no blank line. */
export function headerEnd(octets: Uint8Array, from = 0, to = octets.length): number {
  const end = blankLineEnd(octets, from, to)
  return end === -1 ? to : end
}

const LF_LF = Buffer.from('\n\n')
const LF_CRLF = Buffer.from('\n\r\n')

/** Where the first blank line of `octets[from…to)` ends, which may be the first line of all; -1 when there is none. */
export function blankLineEnd(octets: Uint8Array, from: number, to: number): number {
  if (from < to && octets[from] === LF) return from + 1
  if (from + 1 < to && octets[from] === CR && octets[from + 1] === LF) return from + 2
  const buffer = asBuffer(octets)
  const all = to === buffer.length ? buffer : buffer.subarray(0, to)
  const withCr = all.indexOf(LF_CRLF, from)
  // Of LF alone only where it comes first.
  const without = (withCr === -1 ? all : all.subarray(0, withCr + 1)).indexOf(LF_LF, from)
  if (without !== -1) return without + 2
  return withCr === -1 ? -1 : withCr + 3
}

/** Whether the octets are this name, which is given in lower case. */
export function nameIs(octets: Uint8Array, at: number, end: number, lower: string): boolean {
  if (end - at !== lower.length) return false
  for (let i = 0; i < lower.length; i++) {
    const c = octets[at + i]!
    if ((c >= 0x41 && c <= 0x5a ? c | 0x20 : c) !== lower.charCodeAt(i)) return false
  }
  return true
}

/** The same of characters. */
export function fieldIs(text: string, at: number, end: number, lower: string): boolean {
  if (end - at !== lower.length) return false
  for (let i = 0; i < lower.length; i++) {
    const c = text.charCodeAt(at + i)
    if ((c >= 0x41 && c <= 0x5a ? c | 0x20 : c) !== lower.charCodeAt(i)) return false
  }
  return true
}

/** So many names of one length are compared one by one; more are looked up. */
const FEW = 8

/** Set of field names, made once per FETCH item and asked for every field of every message. */
export class FieldNames {
  readonly #byLength = new Map<number, string[]>()
  readonly #all: ReadonlySet<string>
  constructor(names: readonly string[]) {
    this.#all = new Set(names.map((name) => name.toLowerCase()))
    for (const name of this.#all) {
      const same = this.#byLength.get(name.length)
      if (same === undefined) this.#byLength.set(name.length, [name])
      else same.push(name)
    }
  }
  has(octets: Uint8Array, at: number, end: number): boolean {
    const same = this.#byLength.get(end - at)
    if (same === undefined) return false
    if (same.length > FEW) return this.#all.has(latin1(octets, at, end).toLowerCase())
    for (const name of same) if (nameIs(octets, at, end, name)) return true
    return false
  }
}

/**
 * The fields of a header that are named, or with `not` those that are not, as they stand, and the blank line when there is one
 * (RFC 3501 §6.4.5). What is no field belongs to no name.
 */
export function filterHeader(header: Uint8Array, names: FieldNames | readonly string[], not: boolean): Uint8Array {
  const wanted = names instanceof FieldNames ? names : new FieldNames(names)
  const cuts: number[] = []
  let size = 0
  let fieldsEnd = 0
  const end = eachField(header, 0, header.length, (at, nameEnd, _valueAt, fieldEndAt) => {
    fieldsEnd = fieldEndAt
    if ((nameEnd !== -1 && wanted.has(header, at, nameEnd)) === not) return
    size += fieldEndAt - at
    if (cuts.length > 0 && cuts[cuts.length - 1] === at) cuts[cuts.length - 1] = fieldEndAt
    else cuts.push(at, fieldEndAt)
  })
  const blankLine = end - fieldsEnd
  const out = new Uint8Array(size + blankLine)
  let filled = 0
  for (let i = 0; i < cuts.length; i += 2) {
    out.set(header.subarray(cuts[i], cuts[i + 1]), filled)
    filled += cuts[i + 1]! - cuts[i]!
  }
  out.set(header.subarray(fieldsEnd, end), filled)
  return out
}
