import { sealModifier, uids } from 'mailwright/api'
import type { FetchPlan, ImapCursor, MailboxView, Modseq, Modifier, SealedFetchItem, SelectPlan, StorePlan, UidSet } from 'mailwright/api'
import { becomeAware, MODSEQ_ITEM, requireModseqs, setAware } from './awareness.js'

function modseqValue(input: ImapCursor): Modseq {
  input.space()
  // Mod-sequences are numbers of this kind, and larger ones than can exist are cut by the cursor.
  return input.largeNumber() as Modseq
}
function withModseq(items: SealedFetchItem[]): void {
  if (items.every((item) => item.name.toUpperCase() !== 'MODSEQ')) items.push(MODSEQ_ITEM)
}

/** SELECT and EXAMINE (CONDSTORE) (RFC 7162 §3.1.8); the code comes with every SELECT anyhow. */
const selectCondstore: Modifier<SelectPlan, undefined> = {
  name: 'CONDSTORE',
  parse: () => undefined,
  apply(_args, _plan, session) {
    setAware(session)
  },
}

/** FETCH (CHANGEDSINCE n) (RFC 7162 §3.1.4.1). */
const changedSince: Modifier<FetchPlan, Modseq> = {
  name: 'CHANGEDSINCE',
  parse: modseqValue,
  apply(since, plan, session) {
    requireModseqs(session)
    becomeAware(session)
    const before = plan.keep
    plan.keep = (row, rows) => rows.modseq[row]! > since && (before === undefined || before(row, rows))
    withModseq(plan.items)
  },
}

/** Sequence numbers of uids, which have the same order. */
function numbersOf(view: MailboxView, named: UidSet): UidSet {
  const numbers: number[] = []
  const { ranges } = named
  const { uid } = view.rows
  for (let i = 0; i < ranges.length; i += 2) {
    for (let row = firstFrom(uid, view.announced, ranges[i]!); row < view.announced && uid[row]! <= ranges[i + 1]!; row++) numbers.push(row + 1)
  }
  return uids.from(numbers)
}
/** The first row of `length` whose uid is at least this one. */
export function firstFrom(column: Uint32Array, length: number, least: number): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (column[middle]! < least) low = middle + 1
    else high = middle
  }
  return low
}

/** STORE (UNCHANGEDSINCE n) (RFC 7162 §3.1.3); what was refused stands in MODIFIED, by number or by uid as the command named it. */
const unchangedSince: Modifier<StorePlan, Modseq> = {
  name: 'UNCHANGEDSINCE',
  parse: modseqValue,
  apply(since, plan, session) {
    requireModseqs(session)
    becomeAware(session)
    plan.unchangedSince = since
    // Told even where the command says .SILENT.
    withModseq(plan.answerItems)
    plan.codes.push((refused) => {
      if (refused.count === 0) return undefined
      const named = plan.uid ? refused : numbersOf(plan.view, refused)
      return { name: 'MODIFIED', write: (out) => void out.raw(' ').set(named) }
    })
  },
}

export const condstoreModifiers = {
  select: [sealModifier(selectCondstore)],
  fetch: [sealModifier(changedSince)],
  store: [sealModifier(unchangedSince)],
}
