import type { HeaderKind } from './file-header.js'

/** Bits of a record's flags, the same in all formats with fixed headers. The system flags are those of `SYSTEM`. */
export const BIT = { seen: 1, deleted: 2, flagged: 4, answered: 8, old: 0x10, draft: 0x20, hidden: 0x8000 } as const
export const SYSTEM_BITS = BIT.seen | BIT.deleted | BIT.flagged | BIT.answered | BIT.draft

/** What stands between the semicolon and the end of a record's line. */
export interface Fields {
  /** Bit 0 is the mailbox's first keyword. */
  readonly keywords: number
  /** `BIT` values, and what others may have put there. */
  readonly flags: number
  /** 0: none yet, or none in this format. */
  readonly uid: number
}

/** How the formats differ that keep messages one after the other behind lines of fixed form. */
export interface Dialect {
  /** As in messages: `Not a MBX-format mailbox`. */
  readonly title: string
  readonly lineEnd: '\r\n' | '\n'
  /** Octets of the fields. */
  readonly fieldsLength: number
  /** Record of the mailbox itself in front of the messages. */
  readonly header: HeaderKind | undefined
  /** Messages are stored as they came, or with LF. */
  readonly text: 'as-is' | 'lf'
  /** Expunged messages stay, hidden, until nobody has the mailbox open. */
  readonly hides: boolean
  /** Names in a user's home under which a mailbox is the INBOX, in this order; an empty file is one under the second only, which is where it is made. */
  readonly inboxes: readonly [string, string?]
  /** Undefined: `flags` or `uid` are not what they should be. */
  readFields(octets: Buffer, at: number): Fields | 'flags' | 'uid'
  /** Puts `fieldsLength` octets from the first of `to` on. */
  putFields(fields: Fields, to: Uint8Array): void
  /** The same as text. */
  writeFields(fields: Fields): string
  /** Address of the module whose `run` is `makeKnownChange` in this dialect, for other threads. */
  readonly module: string
}

/** What `put` puts, so many octets. */
export function textOf(length: number, put: Dialect['putFields'], fields: Fields): string {
  const octets = Buffer.allocUnsafe(length)
  put(fields, octets)
  return octets.toString('latin1')
}
/** A number in hexadecimal digits; NaN when there is anything else. */
export function hexAt(octets: Uint8Array, at: number, digits: number): number {
  let n = 0
  for (let i = at; i < at + digits; i++) {
    const c = octets[i] ?? 0
    const digit = c >= 48 && c <= 57 ? c - 48 : c >= 97 && c <= 102 ? c - 87 : c >= 65 && c <= 70 ? c - 55 : Number.NaN
    n = n * 16 + digit
  }
  return n
}
/** Lower-case digits with leading zeros, as octets. */
export function putHex(to: Uint8Array, at: number, n: number, digits: number): void {
  for (let i = at + digits - 1, left = n; i >= at; i--, left >>>= 4) {
    const digit = left & 15
    to[i] = digit < 10 ? 48 + digit : 87 + digit
  }
}
/** The same as text. */
export function hex(n: number, digits: number): string {
  return n.toString(16).padStart(digits, '0')
}
