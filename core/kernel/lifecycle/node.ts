import type { Role, Token } from '../../api/kernel.js'
import type { AnyPoint, PlanEntry, PlanPart } from '../plan.js'
import type { AnyContribution, AnyProvision, NeedTable } from '../registry/registrar.js'

interface NodeBase {
  readonly plugin: string
  /** For logs and the timing tree: `hosts.default.drivers.use[0] (unix)`. */
  readonly label: string
  readonly path: string
  readonly needs: NeedTable
  /** In processes that play one of these it is created. */
  readonly roles: readonly Role[]
  readonly optional: boolean
}
/** A service to create. */
export interface ProvisionNode extends NodeBase {
  readonly kind: 'provision'
  readonly token: Token<unknown>
  readonly how: AnyProvision
}
/** A contribution to create. */
export interface EntryNode extends NodeBase {
  readonly kind: 'entry'
  readonly point: AnyPoint
  readonly name: string
  readonly entry: PlanEntry
  readonly what: AnyContribution
  /** Filled by validation. */
  settings: unknown
  /** Validation refused it; only an optional entry gets past that, and is not created. */
  broken: boolean
  /** What stands in its own settings, by need. */
  readonly nested: ReadonlyMap<string, readonly EntryNode[]>
}
export type Node = ProvisionNode | EntryNode

/** Entries of one point in one part. */
export interface WiredSlot {
  readonly point: AnyPoint
  readonly path: string
  /** Written in the configuration, not a default. */
  readonly said: boolean
  readonly entries: readonly EntryNode[]
  readonly off: readonly { readonly name: string; readonly plugin: string; readonly why: string }[]
}
/** Everything of the process or of a host, ready to be created. */
export interface WiredPart {
  readonly part: PlanPart
  readonly host: string | undefined
  readonly slots: ReadonlyMap<string, WiredSlot>
  /** By token id. */
  readonly provisions: ReadonlyMap<string, ProvisionNode>
}

/** All nodes of a part in the order in which they are created where nothing else decides: services, then entries. */
export function* nodesOf(part: WiredPart): Iterable<Node> {
  yield* part.provisions.values()
  for (const slot of part.slots.values()) for (const entry of slot.entries) yield* withNested(entry)
}
function* withNested(node: EntryNode): Iterable<EntryNode> {
  for (const list of node.nested.values()) for (const inner of list) yield* withNested(inner)
  yield node
}

/** Whether a need asks for contributions. */
export function isChosen(need: NeedTable[string]): need is Extract<NeedTable[string], { readonly point: string }> {
  return 'point' in need
}

/** What must exist before a node, as far as this part creates it. */
export function dependencies(node: Node, part: WiredPart): Node[] {
  return Object.entries(node.needs).flatMap(([key, need]): readonly Node[] => {
    if (!isChosen(need)) return part.provisions.has(need.id) ? [part.provisions.get(need.id)!] : []
    if (need.from === 'own-settings') return node.kind === 'entry' ? (node.nested.get(key) ?? []) : []
    return part.slots.get(need.point)?.entries ?? []
  })
}

/** The nodes that begin and end in each other, or an order in which each comes after what it needs. */
export function order(part: WiredPart): { readonly sorted: readonly Node[]; readonly cycle: readonly Node[] | undefined } {
  const sorted: Node[] = []
  const state = new Map<Node, 'open' | 'done'>()
  const trail: Node[] = []
  let cycle: Node[] | undefined
  const visit = (node: Node): void => {
    if (cycle !== undefined || state.get(node) === 'done') return
    if (state.get(node) === 'open') {
      cycle = [...trail.slice(trail.indexOf(node)), node]
      return
    }
    state.set(node, 'open')
    trail.push(node)
    for (const needed of dependencies(node, part)) visit(needed)
    trail.pop()
    state.set(node, 'done')
    sorted.push(node)
  }
  for (const node of nodesOf(part)) visit(node)
  return { sorted, cycle }
}
