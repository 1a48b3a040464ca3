import { createFact } from '../api/index.js'
import type { FactDeriver } from '../api/index.js'
import { baseSubject } from './base-subject.js'
import { decodeHeaderText } from './encoded-word.js'
import { eachFieldOf, fieldIs } from './header.js'
import { MIME_LIMITS } from './limits.js'
import { messageIds } from './message-id.js'
import { readHeader, whenRead } from './message.js'
import { fieldValue, fromLatin1, latin1 } from './octets.js'

/** What THREAD=REFERENCES needs of a message besides its date and base subject. */
export interface ThreadingFields {
  /** The message's own id; empty where it has none. */
  readonly id: string
  /** Ids of its ancestors, the oldest first. */
  readonly references: readonly string[]
  /** Its subject says that it is a reply or was forwarded. */
  readonly isReply: boolean
}

/** Octets as Latin-1: `R` for replies or a blank, then the ids, its own first, each in a line. */
export const THREADING = createFact<string>('threading', 1, { encode: fromLatin1, decode: (bytes) => latin1(bytes) })

const FIELDS = ['message-id', 'references', 'in-reply-to', 'subject'] as const
type Field = (typeof FIELDS)[number]

/** The value of the fact, out of a header. */
export function writeThreading(header: Uint8Array): string {
  const values = new Map<Field, string>()
  const text = latin1(header)
  eachFieldOf(text, (at, nameEnd, valueAt, end) => {
    if (nameEnd === -1) return
    const name = FIELDS.find((field) => fieldIs(text, at, nameEnd, field))
    if (name !== undefined && !values.has(name)) values.set(name, fieldValue(text, valueAt, end))
  })
  const idsIn = (field: Field): readonly string[] => messageIds(values.get(field) ?? '')
  const named = idsIn('references')
  // RFC 5256 §3: of In-Reply-To the first alone; what else stands there may be addresses.
  const references = named.length > 0 ? named.slice(-MIME_LIMITS.references) : idsIn('in-reply-to').slice(0, 1)
  const { isReply } = baseSubject(decodeHeaderText(values.get('subject') ?? ''))
  return `${isReply ? 'R' : ' '}${[idsIn('message-id')[0] ?? '', ...references].join('\n')}`
}
/** The fields of a value. */
export function readThreading(value: string): ThreadingFields {
  const references = value.slice(1).split('\n')
  const id = references.shift() ?? ''
  return { id, references, isReply: value.startsWith('R') }
}

/** The message's own id alone; empty where it has none. */
export function threadingId(value: string): string {
  const end = value.indexOf('\n')
  return end === -1 ? value.slice(1) : value.slice(1, end)
}

/** From the header alone. */
export const threadingDeriver: FactDeriver<string> = {
  fact: THREADING,
  reads: 'header',
  derive: (m, signal) => whenRead(readHeader(m, signal), writeThreading),
}
