import { Pace } from 'mailwright/api'
import type { ImapWriter, ThreadNode } from 'mailwright/api'

/** Nodes between two looks at whether the client keeps up, and others wait. */
const NODES_PER_LOOK = 1024

const OPEN = 1
const CLOSE = 2
const BLANK = 3
/** What is left to write, the next at the end: trees may be as deep as they have messages. */
type Pending = ThreadNode | typeof OPEN | typeof CLOSE | typeof BLANK
const TEXTS = { [OPEN]: '(', [CLOSE]: ')', [BLANK]: ' ' } as const

/** `(3 6 (4 23)(44 7 96))` for each of the trees (RFC 5256 §4 "BASE.7.2.THREAD"), behind one blank; nothing where there are none. */
export async function writeThreads(trees: readonly ThreadNode[], numberOf: (uid: number) => number, out: ImapWriter, signal: AbortSignal): Promise<void> {
  const pace = new Pace(signal)
  const pending: Pending[] = []
  pushLists(pending, trees)
  if (pending.length > 0) out.raw(' ')
  let written = 0
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (typeof next === 'number') {
      out.raw(TEXTS[next])
      continue
    }
    if (next.uid !== 0) out.number(numberOf(next.uid))
    const below = shown(next.children)
    const [only] = below
    if (below.length === 1 && only !== undefined && only.uid !== 0) pending.push(only)
    else pushLists(pending, below.length === 1 ? shown(only?.children ?? []) : below)
    // Whatever stands behind a number in its thread is parted from it by a blank; two lists are not.
    if (next.uid !== 0 && below.length > 0) pending.push(BLANK)
    if (++written % NODES_PER_LOOK !== 0) continue
    const wait = out.room()
    if (wait !== undefined) await wait
    if (pace.due()) await pace.turn()
  }
}

function pushLists(pending: Pending[], trees: readonly ThreadNode[]): void {
  const all = shown(trees)
  for (let i = all.length - 1; i >= 0; i--) pending.push(CLOSE, all[i]!, OPEN)
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
