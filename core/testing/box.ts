import type { StoredMessage, Wants } from '../api/mail/message.js'
import type { MailboxSource } from '../api/mail/source.js'
import { SYSTEM, type FlagChange } from '../api/mail/table.js'
import { uids, type UidSet } from '../api/mail/uid-set.js'
import type { Edit } from '../mail/table/edit.js'
import { MailTable } from '../mail/table/table.js'
import { must } from './expecting.js'

/** A row and its octets, as plain values. */
export interface BoxMessage {
  readonly uid: number
  readonly flags: string
  readonly size: number
  readonly ms: number
  readonly zone: number
  readonly bytes: Uint8Array
}
/** Rows without octets. */
export type BoxRow = Omit<BoxMessage, 'bytes'>
/** What core keeps of a mailbox over a restart. */
export interface SavedRows {
  readonly stamp: string | undefined
  readonly uidValidity: number
  readonly uidNext: number
  readonly rows: readonly SavedRow[]
}
interface SavedRow {
  readonly uid: number
  readonly system: number
  readonly keywords: readonly string[]
  readonly size: number
  readonly ms: number
  readonly zone: number
  readonly columns: readonly (number | string | undefined)[]
}
export const WHOLE: Wants = { bytes: 'whole', sections: [], facts: [] }
const FIRST_MODSEQ = 1_000_000

/** An open mailbox with a table of core's own: what a process has, without sessions. Operations go one after the other. */
export class Box {
  readonly source: MailboxSource
  readonly table: MailTable
  readonly path: string
  #closed = false

  constructor(path: string, source: MailboxSource) {
    this.path = path
    this.source = source
    this.table = new MailTable({ ownModseqs: source.traits.modseqs === 'own', firstModseq: FIRST_MODSEQ })
  }

  /** An operation with an edit, committed when it resolves and dropped when it does not, as core does it. */
  async edit<T>(operation: (edit: Edit) => Promise<T>): Promise<T> {
    const edit = this.table.begin()
    try {
      const value = await operation(edit)
      edit.commit()
      return value
    } catch (error) {
      edit.drop()
      throw error
    }
  }
  /** Makes the rows true; returns the uids that were recent and given to nobody yet, when they are claimed. */
  async refresh(how: { readonly claimRecent: boolean } = { claimRecent: false }, signal: AbortSignal = never): Promise<UidSet> {
    await this.edit((edit) => this.source.refresh(edit, how, signal))
    if (this.table.generation.gaps > 0) {
      const { fill } = this.source
      must(fill !== undefined, 'rows have sizes or dates that are UNKNOWN, and the source has no `fill`')
      await this.edit((edit) => fill.call(this.source, this.uids, edit, signal))
      must(this.table.generation.gaps === 0, '`fill` left sizes or dates UNKNOWN')
    }
    if (!how.claimRecent) return uids.none
    const claimed = this.table.unclaimed
    this.table.unclaimed = uids.none
    return claimed
  }
  async store(change: Partial<FlagChange> & Pick<FlagChange, 'uids'>, signal: AbortSignal = never): Promise<UidSet> {
    return await this.edit((edit) => this.source.store({ how: 'add', system: 0, keywords: [], ...change }, edit, signal))
  }
  async expunge(among: UidSet, how: { readonly always: boolean } = { always: false }): Promise<UidSet> {
    const before = this.uids
    await this.edit((edit) => this.source.expunge(among, how, edit, never))
    return before.minus(this.uids)
  }

  get uids(): UidSet {
    const { generation, length } = this.table
    return uids.from(generation.uid.subarray(0, length))
  }
  get rows(): readonly BoxRow[] {
    const g = this.table.generation
    return Array.from({ length: this.table.length }, (_, row) => {
      const set = g.flagSets[g.flags[row] ?? 0]
      return { uid: g.uid[row] ?? 0, flags: flagText(set?.system ?? 0, set?.keywords ?? []), size: g.size[row] ?? 0, ms: g.date[row] ?? 0, zone: g.zone[row] ?? 0 }
    })
  }
  /** Rows with their octets, read whole. */
  async messages(): Promise<readonly BoxMessage[]> {
    const bytes = await this.read(this.uids)
    return this.rows.map((row) => ({ ...row, bytes: bytes.get(row.uid) ?? new Uint8Array(0) }))
  }
  /** Octets by uid; messages that are gone are not there. */
  async read(set: UidSet): Promise<Map<number, Uint8Array>> {
    const out = new Map<number, Uint8Array>()
    for await (const batch of this.source.read(set, WHOLE, this.table.generation, never)) {
      for (const message of batch) out.set(message.uid, await octetsOfMessage(message))
    }
    return out
  }

  save(): SavedRows {
    const g = this.table.generation
    const { columns } = this.source.traits
    const rows = Array.from({ length: this.table.length }, (_, row): SavedRow => {
      const set = g.flagSets[g.flags[row] ?? 0]
      return {
        uid: g.uid[row] ?? 0,
        system: set?.system ?? 0,
        keywords: set?.keywords ?? [],
        size: g.size[row] ?? 0,
        ms: g.date[row] ?? 0,
        zone: g.zone[row] ?? 0,
        columns: columns.map((c) => g.column(c)[row]),
      }
    })
    const { stamp, uidValidity, uidNext } = this.table
    return { stamp, uidValidity, uidNext, rows }
  }
  /** Puts saved rows into a table that is still empty, as core does after a restart. */
  restore(saved: SavedRows): void {
    const edit = this.table.begin()
    for (const r of saved.rows) {
      const row = edit.add(r.uid, edit.flagSet(r.system, r.keywords), false)
      edit.setSize(row, r.size)
      edit.setDate(row, r.ms, r.zone)
      for (const [i, column] of this.source.traits.columns.entries()) {
        // Written by `save` for the same list of columns.
        edit.set(row, column as { id: string; kind: 'ref' }, r.columns[i] as string | undefined)
      }
    }
    edit.uidValidity = saved.uidValidity
    edit.uidNext = saved.uidNext
    edit.stamp = saved.stamp
    edit.commit()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.source.close()
  }
}

/** Never given. */
export const never: AbortSignal = new AbortController().signal

/** All octets of a message, by `read` in one piece or `inline`. */
export async function octetsOfMessage(message: StoredMessage): Promise<Uint8Array> {
  const { bytes } = message
  if (bytes.inline !== undefined) {
    must(bytes.inline.length === bytes.size, `uid ${message.uid}: inline has ${bytes.inline.length} octets, size says ${bytes.size}`)
    // A copy: `slice` of a Buffer would share its memory.
    return new Uint8Array(bytes.inline)
  }
  const out = new Uint8Array(bytes.size)
  let got = 0
  while (got < out.length) {
    const n = await bytes.read(got, out.subarray(got), never)
    must(n > 0, `uid ${message.uid}: read ended at ${got} of ${bytes.size} octets`)
    got += n
  }
  return out
}

const SYSTEM_NAMES = Object.entries(SYSTEM)
/** `seen flagged $Label`, for comparisons: keywords without regard to case. */
export function flagText(system: number, keywords: readonly string[]): string {
  return [...SYSTEM_NAMES.filter(([, bit]) => (system & bit) !== 0).map(([name]) => name), ...keywords.map((k) => k.toLowerCase()).sort()].join(' ')
}
