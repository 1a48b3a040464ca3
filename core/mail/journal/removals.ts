import { uids, type UidSet } from '../../api/index.js'
import type { JournalRecord } from './records.js'

/** Removals that are remembered; older ones are answered from what is there. */
const MOST = 4096

/** Uids that were removed under one mod-sequence. */
export interface Removal {
  readonly modseq: number
  readonly set: UidSet
}

/** What was removed from a mailbox lately. */
export class Removals {
  #list: Removal[]
  #floor: number
  /** What was removed up to the floor is not known; Infinity: nothing is known, and of no number yet. */
  constructor(floor: number, list: Removal[] = []) {
    this.#floor = floor
    this.#list = list
  }
  get floor(): number {
    return this.#floor
  }
  add(modseq: number, set: UidSet): void {
    this.#list.push({ modseq, set })
    if (this.#list.length > MOST) this.#floor = Math.max(this.#floor, this.#list.shift()!.modseq)
  }
  /** Those under higher mod-sequences than this; undefined when it is not known. */
  since(modseq: number): UidSet | undefined {
    if (modseq < this.#floor) return undefined
    let set = uids.none
    for (const removal of this.#list) if (removal.modseq > modseq) set = set.or(removal.set)
    return set
  }
  records(): readonly JournalRecord[] {
    return this.#list.map(({ modseq, set }) => ({ t: 'gone', m: modseq, u: [...set.ranges] }))
  }
}
