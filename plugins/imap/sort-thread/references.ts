import type { Pace, ThreadNode } from 'mailwright/api'
import { Ancestry } from './ancestry.js'
import { SpreadMap } from './spread-map.js'
import { addBelow, nodeOf } from './threaded-messages.js'
import type { GrowingNode, ThreadedMessages } from './threaded-messages.js'

/** A thread below the root: a message with what is below it, or messages that a missing one holds together. */
interface Top {
  /** The message, or of several the first by date: its subject is the thread's. */
  readonly first: number
  /** Undefined: a message alone. */
  readonly group: Group | undefined
}
interface Group {
  /** The number that its messages have for a parent; below -1. */
  readonly number: number
  readonly members: number[]
}

/** REFERENCES (RFC 5256 §3), step by step. `parents` has by and by what the links of each step are, in the way of `Ancestry.pruned`. */
export async function references(messages: ThreadedMessages, pace: Pace): Promise<readonly ThreadNode[]> {
  // Steps 1 to 3.
  const ancestry = await Ancestry.of(messages.threading, pace)
  const parents = await ancestry.pruned(pace)
  await gatherSubjects(messages, parents, pace)
  return sorted(messages, parents, pace)
}

/** How many groups messages have for a parent. */
function groupCount(parents: Int32Array): number {
  let least = -1
  for (const parent of parents) if (parent < least) least = parent
  return -1 - least
}

/** Step 4: threads in the order of their dates; of one without a message of its own the date of its first one counts. */
async function topsOf({ byDate }: ThreadedMessages, parents: Int32Array, pace: Pace): Promise<readonly Top[]> {
  const tops: Top[] = []
  const groups: (Group | undefined)[] = Array.from({ length: groupCount(parents) })
  for (let i = 0; i < byDate.length; i++) {
    const place = byDate[i]!
    const parent = parents[place]!
    if (parent === -1) tops.push({ first: place, group: undefined })
    else if (parent < -1) {
      const group = groups[-2 - parent]
      if (group === undefined) {
        const begun = { number: parent, members: [place] }
        groups[-2 - parent] = begun
        tops.push({ first: place, group: begun })
      } else group.members.push(place)
    }
    if (i % 256 === 0 && pace.due()) await pace.turn()
  }
  return tops
}

/** Step 5: threads of one base subject become one. */
async function gatherSubjects(messages: ThreadedMessages, parents: Int32Array, pace: Pace): Promise<void> {
  const { subject, threading } = messages
  const tops = await topsOf(messages, parents, pace)
  const isReply = (place: number): boolean => threading[place]!.startsWith('R')
  // Step 5.B.
  const table = new SpreadMap<Top>()
  for (const [i, top] of tops.entries()) {
    if (i % 256 === 0 && pace.due()) await pace.turn()
    const text = subject[top.first]!
    if (text === '') continue
    const known = table.get(text)
    const replaces = known === undefined || (known.group === undefined && (top.group !== undefined || (isReply(known.first) && !isReply(top.first))))
    if (replaces) table.set(text, top)
  }
  // Step 5.C. No number below is a group's yet.
  let last = -1 - groupCount(parents)
  for (const [i, top] of tops.entries()) {
    if (i % 256 === 0 && pace.due()) await pace.turn()
    const text = subject[top.first]!
    const known = table.get(text)
    if (known === undefined || known === top) continue
    if (known.group !== undefined) join(known.group, top.group?.members ?? [top.first], parents)
    else if (isReply(top.first) && !isReply(known.first)) parents[top.first] = known.first
    else {
      const group: Group = { number: --last, members: [] }
      join(group, [known.first, top.first], parents)
      table.set(text, { first: known.first, group })
    }
  }
}
function join(group: Group, members: readonly number[], parents: Int32Array): void {
  for (const member of members) {
    parents[member] = group.number
    group.members.push(member)
  }
}

/** Step 6: every set of siblings by date, which is the order in which they are put there. */
async function sorted({ uid, byDate }: ThreadedMessages, parents: Int32Array, pace: Pace): Promise<readonly ThreadNode[]> {
  const roots: ThreadNode[] = []
  const groups: (GrowingNode | undefined)[] = Array.from({ length: groupCount(parents) })
  const nodes: GrowingNode[] = []
  for (let i = 0; i < uid.length; i++) {
    nodes.push(nodeOf(uid[i]!))
    if (i % 256 === 0 && pace.due()) await pace.turn()
  }
  for (let i = 0; i < byDate.length; i++) {
    const place = byDate[i]!
    const parent = parents[place]!
    const node = nodes[place]!
    if (parent >= 0) addBelow(nodes[parent]!, node)
    else if (parent === -1) roots.push(node)
    else {
      let group = groups[-2 - parent]
      if (group === undefined) {
        groups[-2 - parent] = group = nodeOf(0)
        roots.push(group)
      }
      addBelow(group, node)
    }
    if (i % 256 === 0 && pace.due()) await pace.turn()
  }
  return roots
}
