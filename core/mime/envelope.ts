import { parseAddresses } from './address.js'
import type { Address } from './address.js'
import { eachField, nameIs } from './header.js'
import { fieldValue, fromLatin1, wireNstring } from './octets.js'

/** Fields of RFC 3501 §7.4.2 by the length of their names, so that most fields of a header cost one look. */
const BY_LENGTH: readonly (readonly string[] | undefined)[] = ((): (readonly string[])[] => {
  const table: string[][] = []
  for (const name of ['to', 'cc', 'bcc', 'date', 'from', '>from', 'sender', 'subject', 'reply-to', 'message-id', 'in-reply-to']) {
    ;(table[name.length] ??= []).push(name)
  }
  return table
})()

/** The parsed fields of an envelope, with no defaults filled in. */
export interface EnvelopeFields {
  readonly texts: ReadonlyMap<string, string>
  readonly addresses: ReadonlyMap<string, readonly Address[]>
}

/** Reads a header once; the first Date, Subject, In-Reply-To and Message-ID count, addresses of repeated fields are joined. */
export function readEnvelope(header: Uint8Array, from = 0, to = header.length): EnvelopeFields {
  const texts = new Map<string, string>()
  const addresses = new Map<string, Address[]>()
  eachField(header, from, to, (at, nameEnd, valueAt, end) => {
    const names = nameEnd === -1 ? undefined : BY_LENGTH[nameEnd - at]
    const name = names?.find((candidate) => nameIs(header, at, nameEnd, candidate))
    if (name === undefined) return
    if (name === 'date' || name === 'subject' || name === 'message-id' || name === 'in-reply-to') {
      if (!texts.has(name)) texts.set(name, fieldValue(header, valueAt, end))
      return
    }
    const field = name === '>from' ? 'from' : name
    const found = parseAddresses(fieldValue(header, valueAt, end))
    const earlier = addresses.get(field)
    if (earlier === undefined) addresses.set(field, found)
    else for (const address of found) earlier.push(address)
  })
  return { texts, addresses }
}

/** ENVELOPE of a header as it goes on the wire, parentheses included (RFC 3501 §7.4.2). */
export function writeEnvelope(header: Uint8Array, from = 0, to = header.length): Uint8Array {
  const { texts, addresses } = readEnvelope(header, from, to)
  const sender = wireAddresses(addresses.get('from'))
  const orFrom = (name: string): string => {
    const own = wireAddresses(addresses.get(name))
    return own === 'NIL' ? sender : own
  }
  const list = (name: string): string => wireAddresses(addresses.get(name))
  const text = (name: string): string => wireNstring(texts.get(name))
  return fromLatin1(
    `(${text('date')} ${text('subject')} ${sender} ${orFrom('sender')} ${orFrom('reply-to')} ` +
      `${list('to')} ${list('cc')} ${list('bcc')} ${text('in-reply-to')} ${text('message-id')})`,
  )
}

function wireAddresses(list: readonly Address[] | undefined): string {
  if (list === undefined || list.length === 0) return 'NIL'
  let out = '('
  for (const a of list) out += `(${wireNstring(a.personal)} ${wireNstring(a.route)} ${wireNstring(a.mailbox)} ${wireNstring(a.host)})`
  return `${out})`
}
