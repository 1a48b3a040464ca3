import { latin1 } from './octets.js'

const LF = 0x0a
const CR = 0x0d
const SP = 0x20
const TAB = 0x09
const COLON = 0x3a

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
  let at = from
  while (at < to) {
    const first = octets[at]!
    if (first === LF) return at + 1
    if (first === CR && at + 1 < to && octets[at + 1] === LF) return at + 2
    let i = at
    while (i < to) {
      const c = octets[i]!
      if (c === COLON || c === LF || c === SP || c === TAB) break
      i++
    }
    const wordEnd = i
    while (i < to && (octets[i] === SP || octets[i] === TAB)) i++
    const isField = wordEnd > at && i < to && octets[i] === COLON
    const valueAt = isField ? i + 1 : at
    const end = fieldEnd(octets, i, to)
    visit(at, isField ? wordEnd : -1, valueAt, end)
    at = end
  }
  return to
}

/** End of the field that is read at `from`: after a line end that no white space follows. */
function fieldEnd(octets: Uint8Array, from: number, to: number): number {
  let i = from
  while (i < to) {
    if (octets[i] === LF) {
      const next = i + 1 < to ? octets[i + 1]! : 0
      if (next !== SP && next !== TAB) return i + 1
    }
    i++
  }
  return to
}

/** Where the header ends that begins at `from`, its blank line included; the end of the octets when there is no blank line. */
export function headerEnd(octets: Uint8Array, from = 0, to = octets.length): number {
  let lineAt = from
  for (let i = from; i < to; i++) {
    if (octets[i] !== LF) continue
    if (i === lineAt || (i === lineAt + 1 && octets[lineAt] === CR)) return i + 1
    lineAt = i + 1
  }
  return to
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
