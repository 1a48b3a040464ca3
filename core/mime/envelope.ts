import { parseAddresses } from './address.js'
import type { Address } from './address.js'
import { eachFieldOf, fieldIs } from './header.js'
import { Memo } from './memo.js'
import { fieldValue, fromLatin1, latin1, wireNstring } from './octets.js'

/** Fields of RFC 3501 §7.4.2 in the order of the envelope, and how they are written. */
const FIELDS = ['date', 'subject', 'from', 'sender', 'reply-to', 'to', 'cc', 'bcc', 'in-reply-to', 'message-id'] as const
type Field = (typeof FIELDS)[number]
/** Text of which the first counts; the others are addresses. */
const TEXTS: ReadonlySet<Field> = new Set<Field>(['date', 'subject', 'in-reply-to', 'message-id'])

const NOTHING: readonly (string | undefined)[] = FIELDS.map(() => undefined)

interface KnownName {
  readonly lower: string
  readonly field: Field
  readonly place: number
  readonly isText: boolean
}
/** By the length of their names, so that most fields of a header cost one look. */
const BY_LENGTH: readonly (readonly KnownName[] | undefined)[] = ((): (readonly KnownName[])[] => {
  const table: KnownName[][] = []
  const names: readonly (readonly [lower: string, field: Field])[] = [...FIELDS.map((field) => [field, field] as const), ['>from', 'from']]
  for (const [lower, field] of names) (table[lower.length] ??= []).push({ lower, field, place: FIELDS.indexOf(field), isText: TEXTS.has(field) })
  return table
})()

/** Calls `take` for each field of an envelope, with its value unfolded. */
function eachOwnField(header: string, take: (known: KnownName, value: string) => void): void {
  eachFieldOf(header, (at, nameEnd, valueAt, end) => {
    const names = nameEnd === -1 ? undefined : BY_LENGTH[nameEnd - at]
    if (names === undefined) return
    for (const known of names) {
      if (!fieldIs(header, at, nameEnd, known.lower)) continue
      take(known, fieldValue(header, valueAt, end))
      return
    }
  })
}

/** The parsed fields of an envelope, with no defaults filled in. */
export interface EnvelopeFields {
  readonly texts: ReadonlyMap<string, string>
  readonly addresses: ReadonlyMap<string, readonly Address[]>
}

/** Reads a header once; the first Date, Subject, In-Reply-To and Message-ID count, addresses of repeated fields are joined. */
export function readEnvelope(header: Uint8Array, from = 0, to = header.length): EnvelopeFields {
  const texts = new Map<string, string>()
  const addresses = new Map<string, Address[]>()
  eachOwnField(latin1(header, from, to), ({ field, isText }, value) => {
    if (isText) {
      if (!texts.has(field)) texts.set(field, value)
      return
    }
    const found = parseAddresses(value)
    const earlier = addresses.get(field)
    if (earlier === undefined) addresses.set(field, found)
    else for (const address of found) earlier.push(address)
  })
  return { texts, addresses }
}

/** ENVELOPE of a header as it goes on the wire, parentheses included (RFC 3501 §7.4.2). */
export function writeEnvelope(header: Uint8Array, from = 0, to = header.length): Uint8Array {
  return fromLatin1(writeHeaderEnvelope(latin1(header, from, to)))
}

/** The same from and as Latin-1. */
export function writeHeaderEnvelope(header: string): string {
  const values = NOTHING.slice()
  eachOwnField(header, ({ place, isText }, value) => {
    if (isText) values[place] ??= value
    else values[place] = (values[place] ?? '') + wireAddresses.of(value)
  })
  const [date, subject, from, sender, replyTo, to, cc, bcc, inReplyTo, messageId] = values
  const writer = list(from)
  return (
    `(${wireNstring(date)} ${wireNstring(subject)} ${writer} ${list(sender, writer)} ${list(replyTo, writer)} ` +
    `${list(to)} ${list(cc)} ${list(bcc)} ${wireNstring(inReplyTo)} ${wireNstring(messageId)})`
  )
}

function list(addresses: string | undefined, otherwise = 'NIL'): string {
  return addresses === undefined || addresses === '' ? otherwise : `(${addresses})`
}

/** Address structures one after the other. */
const wireAddresses = new Memo((text) => {
  let out = ''
  for (const a of parseAddresses(text)) out += `(${wireNstring(a.personal)} ${wireNstring(a.route)} ${wireNstring(a.mailbox)} ${wireNstring(a.host)})`
  return out
})
