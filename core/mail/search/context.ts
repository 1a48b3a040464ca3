import type { AnyFact, FactCache, Rows, SearchAbility, StoredMessage, UidSet, Wants } from '../../api/index.js'

/** What a search sees of one session's view. */
export interface SearchContext {
  /** The generation that the session sees; asked anew after `fill`. */
  readonly rows: Rows
  isRecent(row: number): boolean
  /** Batches, ascending; what is gone is left out. */
  read(uids: UidSet, wants: Wants, signal: AbortSignal): AsyncIterable<readonly StoredMessage[]>
  /** Makes sizes and dates of these uids known; needed where `rows.gaps` can be above 0. */
  fill?(uids: UidSet, signal: AbortSignal): Promise<void>
  /** The loaded cache of a fact; ENVELOPE answers address, subject and sent-date terms without a message. */
  factCache?(fact: AnyFact): FactCache | undefined
  /** The source's own search, or an index in front of it. */
  readonly ability?: SearchAbility | undefined
  /** Milliseconds since 1970, for OLDER and YOUNGER. */
  now?(): number
  readonly signal: AbortSignal
}
