import type { SearchTerm } from '../../api/index.js'
import { decodeHeaderText } from '../../mime/encoded-word.js'
import { ENVELOPE_PLACES, elementAt, envelopeDate } from '../../mime/envelope-wire.js'
import { latin1 } from '../../mime/octets.js'
import { readString, stringAt, valueEnd } from '../../mime/wire-list.js'
import { TextPattern } from './pattern.js'

/** Answers out of an ENVELOPE in wire form. */
export type EnvelopeTest = (wire: Uint8Array) => boolean

const PLACES: Readonly<Record<string, number>> = ENVELOPE_PLACES
/** Texts, which HEADER finds here too; the address fields are written out otherwise than they stand in the header. */
const TEXTS = new Set(['date', 'subject', 'in-reply-to', 'message-id'])

/** The test of a term that an envelope answers; undefined for any other. */
export function envelopeTest(term: SearchTerm): EnvelopeTest | undefined {
  if (term.kind === 'day' && term.of === 'sent') return sentTest(term.from ?? -Infinity, term.before ?? Infinity)
  if (term.kind !== 'text') return undefined
  if (term.in === 'addresses') {
    const fields = term.field === undefined ? ['from', 'to', 'cc', 'bcc'] : [term.field.toLowerCase()]
    const places = fields.map((field) => PLACES[field])
    const pattern = new TextPattern(term.pattern)
    return (wire) => places.some((place) => place !== undefined && inAddresses(wire, elementAt(wire, place), pattern))
  }
  if (typeof term.in !== 'object') return undefined
  const name = term.in.header.toLowerCase()
  if (!TEXTS.has(name)) return undefined
  const place = PLACES[name]!
  const pattern = new TextPattern(term.pattern)
  return (wire) => inString(wire, elementAt(wire, place), pattern)
}

/** SENTBEFORE and the like: false where there is no date that can be read. */
function sentTest(from: number, before: number): EnvelopeTest {
  return (wire) => {
    const date = envelopeDate(wire)
    return date !== undefined && date.day >= from && date.day < before
  }
}

/** An absent field never matches; an empty pattern asks for its presence. */
function inString(wire: Uint8Array, at: number, pattern: TextPattern): boolean {
  const end = valueEnd(wire, at)
  const found = stringAt(wire, at, end)
  if (found === undefined) return false
  // What is quoted is ASCII, and short: a loop beats the calls that the general way makes.
  if (!found.escaped && wire[at] === 0x22 && pattern.isAscii && !hasWordMark(wire, found.from, found.to)) {
    return pattern.inOctets(wire, found.from, found.to)
  }
  if (!found.escaped) return pattern.inHeader(wire, found.from, found.to)
  const text = readString(wire, at, end)!
  return pattern.inHeader(text, 0, text.length)
}

function hasWordMark(wire: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (wire[i] === 0x3d && wire[i + 1] === 0x3f) return true
  return false
}

const SPECIALS = Uint8Array.from({ length: 256 }, (_, c) => ('()<>@,;:\\".[]'.includes(String.fromCharCode(c)) ? 1 : 0))
let scratch = new Uint8Array(4096)
let filled = 0

/** Addresses as they are written out for matching: `name <box@host>` or `box@host`, joined by commas; a group begins with `name: `. */
function inAddresses(wire: Uint8Array, at: number, pattern: TextPattern): boolean {
  const end = valueEnd(wire, at)
  if (wire[at] !== 0x28) return false
  if (pattern.isEmpty) return true
  // Most addresses have nothing of it: that is seen without writing them out.
  if (pattern.isWord && isBare(wire, at, end) && !pattern.inOctets(wire, at, end)) return false
  if (scratch.length < 2 * (end - at) + 16) scratch = new Uint8Array(4 * (end - at))
  filled = 0
  let isPlain = true
  for (let i = at + 1; i < end - 1;) {
    if (i > at + 1) scratch[filled++] = 0x2c
    isPlain = writeAddress(wire, i + 1) && isPlain
    i = addressEnd
  }
  return isPlain && pattern.isAscii ? pattern.inOctets(scratch, 0, filled) : pattern.inText(addressText(wire, at + 1, end - 1))
}

/** Whether strings stand there as they are: none is a literal, and none has an encoded word or anything escaped. */
function isBare(wire: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const c = wire[i]
    if (c === 0x7b || c === 0x5c || (c === 0x3d && wire[i + 1] === 0x3f)) return false
  }
  return true
}

/** Where the address ended that was written last. */
let addressEnd = 0

/** Writes an address into the scratch space; false when it holds anything that must be decoded first. */
function writeAddress(wire: Uint8Array, at: number): boolean {
  const personalEnd = valueEnd(wire, at)
  const routeEnd = valueEnd(wire, personalEnd + 1)
  const boxEnd = valueEnd(wire, routeEnd + 1)
  const hostEnd = valueEnd(wire, boxEnd + 1)
  addressEnd = hostEnd + 1
  const hasName = wire[at] !== 0x4e
  const hasHost = wire[boxEnd + 1] !== 0x4e
  let plain = true
  if (hasName) {
    plain = writeString(wire, at, personalEnd, true)
    scratch[filled++] = 0x20
    scratch[filled++] = 0x3c
  }
  plain = writeString(wire, routeEnd + 1, boxEnd, false) && plain
  if (hasHost) {
    scratch[filled++] = 0x40
    plain = writeString(wire, boxEnd + 1, hostEnd, false) && plain
  } else if (wire[routeEnd + 1] !== 0x4e) {
    scratch[filled++] = 0x3a
    scratch[filled++] = 0x20
  }
  if (hasName) scratch[filled++] = 0x3e
  return plain
}

function writeString(wire: Uint8Array, at: number, end: number, quoteSpecials: boolean): boolean {
  if (wire[at] === 0x4e) return true
  if (wire[at] !== 0x22) return false
  let special = false
  for (let i = at + 1; i < end - 1; i++) {
    const c = wire[i]!
    if (c === 0x5c || (c === 0x3d && wire[i + 1] === 0x3f)) return false
    if (SPECIALS[c] === 1) special = true
  }
  const quote = special && quoteSpecials
  if (quote) scratch[filled++] = 0x22
  for (let i = at + 1; i < end - 1; i++) scratch[filled++] = wire[i]!
  if (quote) scratch[filled++] = 0x22
  return true
}

/** The same as a string, names decoded. */
function addressText(wire: Uint8Array, from: number, to: number): string {
  const out: string[] = []
  for (let at = from; at < to;) {
    const fields: (string | undefined)[] = []
    let i = at + 1
    for (let n = 0; n < 4; n++) {
      const end = valueEnd(wire, i)
      const text = readString(wire, i, end)
      fields.push(text === undefined ? undefined : decodeHeaderText(latin1(text)))
      i = end + 1
    }
    const [name, , box, host] = fields
    const address = host === undefined ? (box === undefined ? '' : `${box}: `) : `${box ?? ''}@${host}`
    const shown = name !== undefined && /[()<>@,;:\\".[\]]/.test(name) ? `"${name}"` : name
    out.push(shown === undefined ? address : `${shown} <${address}>`)
    at = i
  }
  return out.join(',')
}
