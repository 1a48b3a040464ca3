import type { FlagSetId, Modseq, Row } from './numbers.js'
import type { UidSet } from './uid-set.js'

/** Kinds of private columns; `ref` is for names and large ids. */
export type ColumnData = { u32: Uint32Array; f64: Float64Array; ref: (string | undefined)[] }
/** A column of a driver's own (offsets, file names, remote ids); kept, compacted and cached with the common ones. */
export interface Column<K extends keyof ColumnData> {
  readonly id: string
  readonly kind: K
}
/** Typed handle; the id names it in the cache. */
export function createColumn<K extends keyof ColumnData>(id: string, kind: K): Column<K> {
  return Object.freeze({ id, kind })
}
/** Bits of system flags, as the original's files have them. \Recent is not a flag but a session's. */
export const SYSTEM = { seen: 1, deleted: 2, flagged: 4, answered: 8, draft: 32 } as const
/** One combination of flags, made once per mailbox. */
export interface FlagSet {
  readonly system: number
  readonly keywords: readonly string[]
  /** `\Seen $Label1`, ready for the wire; a FETCH of FLAGS copies it. */
  readonly wire: Uint8Array
}
/**
 * One generation of a mailbox, shared by every session of the process that sees the same messages.
 * Rows are ascending by uid. It grows at its end and never loses a row: an expunge starts the next generation, and a
 * session that has not been told yet keeps the old one. Arrays are longer than `length`, are replaced when they grow, and are read-only outside an edit.
 */
export interface Rows {
  readonly length: number
  readonly uid: Uint32Array
  readonly flags: Uint32Array
  readonly size: Uint32Array
  /** Milliseconds since 1970, with `zone` in minutes east. */
  readonly date: Float64Array
  readonly zone: Int16Array
  readonly modseq: Float64Array
  readonly flagSets: readonly FlagSet[]
  /** Rows whose size or date is not known yet; 0 lets the hot path skip `fill`. */
  readonly gaps: number
  column<K extends keyof ColumnData>(c: Column<K>): ColumnData[K]
  find(uid: number): Row | -1
}
/** Says so while a size or a date costs a read that nobody has asked for. */
export const UNKNOWN = 0xffffffff
/** A STORE, without its protocol. */
export interface FlagChange {
  readonly uids: UidSet
  readonly how: 'add' | 'remove' | 'replace'
  readonly system: number
  readonly keywords: readonly string[]
  readonly unchangedSince?: Modseq
}
/** Called with what an operation waits for, such as another program's lock, while it does: for the client who asked for it. */
export type TellWait = (text: string) => void
/**
 * The only way in which a mailbox changes. A driver never reports: it edits the table that it was handed, and core derives
 * every session's EXISTS, EXPUNGE, FETCH, MODSEQ, VANISHED and event from it. Edits of one mailbox never overlap.
 * When the operation throws, the edit is dropped and the next one starts with `stamp` undefined.
 */
export interface TableEdit {
  readonly rows: Rows
  /** The driver's own mark of the state that the rows describe, also after a restart; undefined: trust nothing. */
  stamp: string | undefined
  uidValidity: number
  uidNext: number
  /** All flags the mailbox defines, for FLAGS and PERMANENTFLAGS; `most`: how many it can define, where that is limited. */
  keywords(defined: readonly string[], canCreate: boolean, most?: number): void
  flagSet(system: number, keywords: readonly string[]): FlagSetId
  add(uid: number, flags: FlagSetId, recent: boolean): Row
  setFlags(row: Row, flags: FlagSetId): void
  /**
   * Whether storage says that nobody has seen the message yet. Recent rows are given to one read-write session by core, which then clears
   * them here itself; a driver says false only when it found that another program took the message.
   */
  setRecent(row: Row, recent: boolean): void
  setSize(row: Row, octets: number): void
  setDate(row: Row, ms: number, zone: number): void
  /** Only a source with mod-sequences of its own calls it; for the others core numbers. */
  setModseq(row: Row, modseq: number): void
  set<K extends keyof ColumnData>(row: Row, column: Column<K>, value: ColumnData[K][number]): void
  /** Takes effect when the operation ends: until then rows keep their numbers, and private columns of what remains may be set. */
  remove(uids: UidSet): void
  /**
   * Flag arithmetic with the `unchangedSince` test, so that no driver repeats it: what must be written, what was refused. Flags that the operation
   * set before are what others did: such a message has changed since (RFC 7162 §3.1.3).
   */
  apply(change: FlagChange): { readonly changed: UidSet; readonly refused: UidSet }
  /** Those of `among` that bear \Deleted. */
  deleted(among: UidSet): UidSet
  /** A line for every session on the mailbox (`Mailbox vulnerable - ...`): warnings reach clients as untagged NO, the rest as untagged OK. */
  notice(severity: 'information' | 'warning', text: string): void
  /** What the operation waits for, such as another program's lock: told at once to the sessions that wait for it, and to nobody else. */
  waits(text: string): void
  /**
   * The store began anew: every session on the mailbox must reselect.
   *
   * @throws MailError `vanished` within an operation that names messages by their numbers, such as a store or an expunge: nothing of it may be done then
   */
  reset(uidValidity: number): void
}
