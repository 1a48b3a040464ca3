import { Pace } from 'mailwright/api'
import type { ImapWriter, ThreadNode } from 'mailwright/api'

/** Nodes between two looks at whether the client keeps up, and others wait. */
const NODES_PER_LOOK = 1024

/** What is left to write of one list: trees may be as deep as they have messages, and lists as long. */
interface Level {
  readonly nodes: readonly ThreadNode[]
  next: number
  /** Each node stands in parentheses; one that goes on a thread, alone, does not. */
  readonly isList: boolean
}

/** `(3 6 (4 23)(44 7 96))` for each of the trees (RFC 5256 §4 "BASE.7.2.THREAD"), behind one blank; nothing where there are none. */
export async function writeThreads(trees: readonly ThreadNode[], numberOf: (uid: number) => number, out: ImapWriter, signal: AbortSignal): Promise<void> {
  const pace = new Pace(signal)
  const levels: Level[] = [{ nodes: shown(trees), next: 0, isList: true }]
  if (levels[0]!.nodes.length > 0) out.raw(' ')
  let written = 0
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    if (level.isList && level.next > 0) out.raw(')')
    const node = level.nodes[level.next++]
    if (node === undefined || !level.isList) levels.pop()
    if (node === undefined) continue
    if (level.isList) out.raw('(')
    if (node.uid !== 0) out.number(numberOf(node.uid))
    const below = shown(node.children)
    // Whatever stands behind a number in its thread is parted from it by a blank; two lists are not.
    if (node.uid !== 0 && below.length > 0) out.raw(' ')
    const [only] = below
    if (below.length > 1) levels.push({ nodes: below, next: 0, isList: true })
    else if (only !== undefined) levels.push(only.uid === 0 ? { nodes: shown(only.children), next: 0, isList: true } : { nodes: below, next: 0, isList: false })
    if (++written % NODES_PER_LOOK !== 0) continue
    const wait = out.room()
    if (wait !== undefined) await wait
    if (pace.due()) await pace.turn()
  }
}

/** The same without what the grammar has no form for: a missing message holds at least two together. */
function shown(nodes: readonly ThreadNode[]): readonly ThreadNode[] {
  if (nodes.every((node) => node.uid !== 0 || (node.children.length > 1 && node.children.every((child) => child.uid !== 0)))) return nodes
  return nodes.flatMap((node) => {
    if (node.uid !== 0) return [node]
    const below = shown(node.children)
    return below.length > 1 ? [{ uid: 0, children: below }] : below
  })
}
