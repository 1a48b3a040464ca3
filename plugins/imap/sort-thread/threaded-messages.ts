import { Pace } from 'mailwright/api'
import type { MailboxView, MessageValue, ThreadNode, UidSet } from 'mailwright/api'
import { THREADING } from 'mailwright/toolkit'
import { SENT_DATE, SUBJECT } from './sort-keys.js'

/** The messages that are put together, by places from 0 in the order of the mailbox. */
export interface ThreadedMessages {
  readonly uid: Uint32Array
  /** Places in the order of sent dates; those of one date in the order of the mailbox (RFC 5256 §2.2). */
  readonly byDate: Uint32Array
  /** Base subjects, equal where the collation says so. */
  readonly subject: readonly string[]
  /** Ids and whether it is a reply, as `readThreading` reads them. */
  readonly threading: readonly string[]
}

const THREADING_VALUE: MessageValue = {
  name: 'threading',
  needs: { bytes: 'none', sections: [], facts: [THREADING] },
  of: (_row, _rows, m) => m.fact?.(THREADING) ?? '',
}

/** What both algorithms of RFC 5256 know of the messages of a set. */
export async function gather(within: UidSet, view: MailboxView, signal: AbortSignal): Promise<ThreadedMessages> {
  const rows = view.resolve({ pairs: within.ranges }, 'uid')
  const uid = new Uint32Array(rows.count)
  for (let p = 0, at = 0; p < rows.pairs.length; p += 2) for (let row = rows.pairs[p]!; row <= rows.pairs[p + 1]!; row++) uid[at++] = view.rows.uid[row]!
  // All at once, so that what is wanting is read once.
  const [subject = [], threading = []] = await view.values([SUBJECT, THREADING_VALUE, SENT_DATE], rows, signal)
  const dated = await view.sort([{ by: SENT_DATE.name, reverse: false, value: SENT_DATE }], { kind: 'uids', set: within }, signal)
  // Both values are strings.
  return { uid, byDate: await places(dated, uid, new Pace(signal)), subject: subject as readonly string[], threading: threading as readonly string[] }
}

/** Where uids stand among others, which ascend. */
async function places(order: Uint32Array, uid: Uint32Array, pace: Pace): Promise<Uint32Array> {
  const out = new Uint32Array(order.length)
  for (let i = 0; i < order.length; i++) {
    out[i] = placeOf(order[i]!, uid)
    if (i % 1024 === 0 && pace.due()) await pace.turn()
  }
  return out
}
function placeOf(wanted: number, uid: Uint32Array): number {
  // Where no message is gone, uids have no gaps.
  const near = wanted - uid[0]!
  if (uid[near] === wanted) return near
  let low = 0
  let high = uid.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (uid[middle]! < wanted) low = middle + 1
    else high = middle
  }
  return low
}

/** A node that still grows. */
export interface GrowingNode extends ThreadNode {
  children: readonly ThreadNode[]
}
/** Most messages have none below them, and need no list of their own for it. */
const NOTHING: readonly ThreadNode[] = []
export function nodeOf(uid: number): GrowingNode {
  return { uid, children: NOTHING }
}
/** `last` becomes the last one below the node. */
export function addBelow(node: GrowingNode, last: ThreadNode): void {
  if (node.children === NOTHING) node.children = [last]
  // Any other list was made here.
  else (node.children as ThreadNode[]).push(last)
}
