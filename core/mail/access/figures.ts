import { SYSTEM, UNKNOWN, uids } from '../../api/index.js'
import type { MailboxFigures, MailLocation } from '../../api/index.js'
import type { MailTable } from '../table/table.js'

/** STATUS of a table whose rows are true: one pass over two columns. */
export function figuresOf(t: MailTable, at: MailLocation): MailboxFigures {
  const g = t.generation
  const systemOf = Uint8Array.from(g.flagSets, (set) => set.system)
  let unseen = 0
  let deleted = 0
  let size = 0
  for (let row = 0; row < t.length; row++) {
    const system = systemOf[g.flags[row]!]!
    if ((system & SYSTEM.seen) === 0) unseen++
    if ((system & SYSTEM.deleted) !== 0) deleted++
    if (g.size[row] !== UNKNOWN) size += g.size[row]!
  }
  const { uidNext, uidValidity, toldModseq: highestModseq } = t
  return { at, messages: t.length, unseen, recent: t.unclaimed.count, deleted, size, uidNext, uidValidity, highestModseq }
}
/** Uids of a table. */
export function uidsIn(t: MailTable): ReturnType<typeof uids.from> {
  return uids.from(t.generation.uid.subarray(0, t.length))
}
