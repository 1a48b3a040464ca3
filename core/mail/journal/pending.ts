import { uids, type FlagChange, type UidSet } from '../../api/index.js'
import type { Edit } from '../table/edit.js'
import { rowsOf } from '../table/row-sets.js'

/**
 * Flag changes that were acknowledged and are not in the mailbox yet, in their order. They are kept as what was asked, not as the result,
 * so that they can be laid over what other programs did to the same messages; doing so again changes nothing.
 */
export class PendingChanges {
  #changes: FlagChange[] = []
  #uids: UidSet = uids.none
  get isEmpty(): boolean {
    return this.#changes.length === 0
  }
  get count(): number {
    return this.#changes.length
  }
  get uids(): UidSet {
    return this.#uids
  }
  get changes(): readonly FlagChange[] {
    return this.#changes
  }
  add(change: FlagChange, changed: UidSet): void {
    this.#uids = this.#uids.or(changed)
    const last = this.#changes.at(-1)
    if (last !== undefined && last.how === change.how && last.system === change.system && last.keywords.join(' ') === change.keywords.join(' ')) {
      this.#changes[this.#changes.length - 1] = { ...last, uids: last.uids.or(changed) }
    } else this.#changes.push({ ...change, uids: changed })
  }
  /** Lays the changes over these messages; returns how many are different from what they were. */
  apply(edit: Edit, among: UidSet): number {
    const mine = this.#uids.and(among)
    if (mine.count === 0) return 0
    const { rows } = edit
    const { pairs } = rowsOf(rows, mine, rows.length)
    const before: number[] = []
    for (let i = 0; i < pairs.length; i += 2) for (let row = pairs[i]!; row <= pairs[i + 1]!; row++) before.push(rows.flags[row]!)
    for (const change of this.#changes) {
      const set = change.uids.and(mine)
      if (set.count > 0) edit.apply({ ...change, uids: set })
    }
    let different = 0
    let at = 0
    for (let i = 0; i < pairs.length; i += 2) for (let row = pairs[i]!; row <= pairs[i + 1]!; row++) if (rows.flags[row] !== before[at++]) different++
    return different
  }
  /** Whether it makes a difference which comes last, what waits or this change. */
  opposes(change: FlagChange): boolean {
    return this.#changes.some((own) => (takesFrom(own, change) || takesFrom(change, own)) && own.uids.and(change.uids).count > 0)
  }
  /** Of messages that are gone nothing has to be written. */
  forget(removed: UidSet): void {
    if (this.#uids.and(removed).count === 0) return
    this.#uids = this.#uids.minus(removed)
    this.#changes = this.#changes.map((c) => ({ ...c, uids: c.uids.minus(removed) })).filter((c) => c.uids.count > 0)
  }
  clear(): void {
    this.#changes = []
    this.#uids = uids.none
  }
}

/** Whether `taker` takes away a flag that `giver` sets. */
function takesFrom(giver: FlagChange, taker: FlagChange): boolean {
  if (giver.how === 'remove' || taker.how === 'add') return false
  const takesNamed = taker.how === 'remove'
  if ((giver.system & (takesNamed ? taker.system : ~taker.system)) !== 0) return true
  const named = new Set(taker.keywords.map((k) => k.toLowerCase()))
  return giver.keywords.some((k) => named.has(k.toLowerCase()) === takesNamed)
}
