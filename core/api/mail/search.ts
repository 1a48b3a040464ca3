import { extensionPoint } from '../kernel.js'
import type { StoredMessage, Wants } from './message.js'
import type { MailLocation, MailUser } from './names.js'
import type { Row } from './numbers.js'
import type { Rows } from './table.js'
import type { UidSet } from './uid-set.js'

/**
 * A search as a tree that can be inspected, so that a server, an index or a database takes over any branch.
 *
 * `custom` carries what no standard term says; drivers skip it, core tests it. `above` and `below` exclude the number itself.
 * Days are counted from 1 January 1970, as written where the message was dated (no zone conversion); `from` is inclusive, `before` is not.
 * `flag` with several bits or fields wants all of them. FROM, TO, CC and BCC are `in: 'addresses'` with `field` in lower case (written out as
 * `name <box@host>`, joined by commas); SUBJECT and HEADER are `in: { header }`; an empty pattern asks whether the field is there.
 * `pattern` is decoded text; case and character set are the searcher's business.
 */
export type SearchTerm =
  | { readonly kind: 'and' | 'or'; readonly terms: readonly SearchTerm[] }
  | { readonly kind: 'not'; readonly term: SearchTerm }
  | { readonly kind: 'uids'; readonly set: UidSet }
  | { readonly kind: 'flag'; readonly system?: number; readonly keyword?: string; readonly recent?: boolean }
  | { readonly kind: 'size' | 'modseq'; readonly above?: number; readonly below?: number }
  | { readonly kind: 'day'; readonly of: 'internal' | 'sent' | 'saved'; readonly from?: number; readonly before?: number }
  | { readonly kind: 'age'; readonly olderS?: number; readonly youngerS?: number }
  | {
      readonly kind: 'text'
      readonly in: 'body' | 'text' | { readonly header: string } | 'addresses'
      readonly pattern: string
      readonly field?: string
      readonly fuzzy: boolean
    }
  | {
      readonly kind: 'custom'
      readonly key: { readonly name: string }
      readonly args: unknown
      readonly wants: Wants
      matches(m: StoredMessage, row: Row, rows: Rows): boolean | Promise<boolean>
    }
/** A branch it does not take is evaluated by core on the rest. */
export interface SearchAbility {
  /** Whether it can answer the term: exactly, or with too many hits that core then tests. */
  can(term: SearchTerm): 'exact' | 'superset' | undefined
  run(term: SearchTerm, within: UidSet, signal: AbortSignal): Promise<UidSet>
  order?(keys: readonly SortKey[], within: UidSet, signal: AbortSignal): Promise<Uint32Array | undefined>
}
/**
 * What messages are ordered or grouped by. It follows from the message alone and never changes, so that core keeps what it found for all sessions
 * of a mailbox; two of one name are the same. Strings are ordered by `<`: `collationKey` of the toolkit makes text ready for that.
 */
export type MessageValue = {
  /** Of a sort key: as SORT has it, in upper case. */
  readonly name: string
  /** It looks at size or date: rows with gaps are filled before. */
  readonly fills?: boolean
} & (
  | { readonly needs: 'columns'; of(row: Row, rows: Rows): string | number }
  /** Nothing waits here: what is not among the facts and sections that it needs is not there. */
  | { readonly needs: Wants; of(row: Row, rows: Rows, m: StoredMessage): string | number }
)
/** One criterion of SORT (RFC 5256 §3), by name for those who know it, and with its value for core. */
export interface SortKey {
  readonly by: string
  readonly reverse: boolean
  readonly value: MessageValue
}
export interface SearchIndex {
  of(at: MailLocation, user: MailUser): Promise<SearchAbility | undefined>
}
/** A full-text index in front of any driver. */
export const searchIndexes = extensionPoint<SearchIndex>('mail.indexes').in({ scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.indexes' })
