import { PendingChanges } from './pending.js'
import { setOf, type JournalRecord } from './records.js'
import type { Removal } from './removals.js'

/** What a journal says when it is opened. */
export interface Replayed {
  /** Of the messages that it speaks of; 0: of none. */
  readonly uidValidity: number
  readonly pending: PendingChanges
  readonly removals: Removal[]
  /** What was removed up to this mod-sequence is not known. */
  readonly floor: number
  /** The highest mod-sequence when the mailbox was closed in order; undefined when it was not. */
  readonly closedAt: number | undefined
  /** No client was told a higher mod-sequence. */
  readonly told: number
}

/** Sums up the records of a journal in their order. */
export function replay(records: readonly JournalRecord[]): Replayed {
  const pending = new PendingChanges()
  let removals: Removal[] = []
  let uidValidity = 0
  let floor = Infinity
  let closedAt: number | undefined
  let told = 0
  for (const r of records) {
    closedAt = undefined
    switch (r.t) {
      case 'head':
        uidValidity = r.uidValidity
        floor = r.floor
        told = Math.max(told, r.floor)
        pending.clear()
        removals = []
        break
      case 'flags':
        pending.add({ uids: setOf(r.u), how: r.h, system: r.s, keywords: r.k }, setOf(r.u))
        break
      case 'folded':
        pending.clear()
        break
      case 'gone':
        told = Math.max(told, r.m)
        removals.push({ modseq: r.m, set: setOf(r.u) })
        break
      case 'open':
        told = Math.max(told, r.m)
        break
      case 'moved':
        break
      case 'high':
        // Whatever was reserved: no more than this was given.
        told = closedAt = r.m
        break
    }
  }
  return { uidValidity, pending, removals, floor, closedAt, told }
}
