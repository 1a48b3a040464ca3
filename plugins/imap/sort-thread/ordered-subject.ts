import type { Pace, ThreadNode } from 'mailwright/api'
import { SpreadMap } from './spread-map.js'
import { addBelow, nodeOf } from './threaded-messages.js'
import type { GrowingNode, ThreadedMessages } from './threaded-messages.js'

/**
 * ORDEREDSUBJECT (RFC 5256 §3): messages of one base subject are a thread. The first by date is its root, the others are children of the root;
 * threads stand in the order of their roots.
 */
export async function orderedSubject({ uid, byDate, subject }: ThreadedMessages, pace: Pace): Promise<readonly ThreadNode[]> {
  const trees: GrowingNode[] = []
  const roots = new SpreadMap<GrowingNode>()
  for (let i = 0; i < byDate.length; i++) {
    const place = byDate[i]!
    const node = nodeOf(uid[place]!)
    const root = roots.get(subject[place]!)
    if (root === undefined) {
      roots.set(subject[place]!, node)
      trees.push(node)
    } else addBelow(root, node)
    if (i % 256 === 0 && pace.due()) await pace.turn()
  }
  return trees
}
