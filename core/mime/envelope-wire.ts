import type { Address } from './address.js'
import { parseHeaderDate, readUsualDate } from './date.js'
import type { HeaderDate } from './date.js'
import { latin1 } from './octets.js'
import { readString, stringAt, valueEnd } from './wire-list.js'

const QUOTE = 0x22

/** Places in an envelope (RFC 3501 §7.4.2). */
export const ENVELOPE_PLACES = {
  date: 0, subject: 1, from: 2, sender: 3, 'reply-to': 4, to: 5, cc: 6, bcc: 7, 'in-reply-to': 8, 'message-id': 9,
} as const
/** Fields that are text in it. */
export type EnvelopeText = 'date' | 'subject' | 'in-reply-to' | 'message-id'
/** Fields that are lists of addresses in it. */
export type EnvelopeAddresses = Exclude<keyof typeof ENVELOPE_PLACES, EnvelopeText>

/** Where the n-th element of an envelope in wire form begins. */
export function elementAt(wire: Uint8Array, n: number): number {
  let at = 1
  for (let i = 0; i < n; i++) at = valueEnd(wire, at) + 1
  return at
}

/** A text field of an envelope in wire form, octets as Latin-1; undefined for NIL. */
export function envelopeText(wire: Uint8Array, field: EnvelopeText): string | undefined {
  return textAt(wire, elementAt(wire, ENVELOPE_PLACES[field]))
}

/** The date of an envelope in wire form, which stands at its beginning; undefined where it has none that can be read. */
export function envelopeDate(wire: Uint8Array): HeaderDate | undefined {
  if (wire[1] === QUOTE) {
    const usual = readUsualDate(wire, 2, wire.indexOf(QUOTE, 2))
    if (usual !== null) return usual
  }
  const text = envelopeText(wire, 'date')
  return text === undefined ? undefined : parseHeaderDate(text)
}

/** The first address structure of a field, octets as Latin-1; a group begins with one that has a mailbox alone. Undefined for NIL. */
export function firstAddress(wire: Uint8Array, field: EnvelopeAddresses): Address | undefined {
  const list = elementAt(wire, ENVELOPE_PLACES[field])
  if (wire[list] !== 0x28) return undefined
  const personal = list + 2
  const route = valueEnd(wire, personal) + 1
  const mailbox = valueEnd(wire, route) + 1
  const host = valueEnd(wire, mailbox) + 1
  return { personal: textAt(wire, personal), route: textAt(wire, route), mailbox: textAt(wire, mailbox), host: textAt(wire, host) }
}

function textAt(wire: Uint8Array, at: number): string | undefined {
  const end = valueEnd(wire, at)
  const found = stringAt(wire, at, end)
  if (found === undefined) return undefined
  return found.escaped ? latin1(readString(wire, at, end)!) : latin1(wire, found.from, found.to)
}
