/** A message as the steps of RFC 5256 see it. */
export interface OracleMessage {
  readonly id: string
  readonly references: readonly string[]
  readonly sent: number
  readonly subject: string
  readonly isReply: boolean
}
interface Node {
  /** Undefined: a dummy. */
  readonly message: number | undefined
  parent: Node | undefined
  children: Node[]
}
/** A message with what is below it; -1 stands for a dummy. */
export type OracleTree = readonly [number, ...OracleTree[]]

/** THREAD=REFERENCES, word by word after the steps of RFC 5256 §3, with trees of objects and without a thought for speed. */
export function oracleThreads(messages: readonly OracleMessage[]): OracleTree[] {
  const root: Node = { message: undefined, parent: undefined, children: [] }
  const byId = new Map<string, Node>()
  const nodes = messages.map((m, message): Node => {
    const node: Node = { message, parent: undefined, children: [] }
    if (m.id !== '' && !byId.has(m.id)) byId.set(m.id, node)
    return node
  })
  const all = [...nodes]
  const find = (id: string): Node => {
    let node = byId.get(id)
    if (node === undefined) {
      node = { message: undefined, parent: undefined, children: [] }
      byId.set(id, node)
      all.push(node)
    }
    return node
  }
  const unlink = (child: Node): void => {
    if (child.parent === undefined) return
    child.parent.children = child.parent.children.filter((c) => c !== child)
    child.parent = undefined
  }
  const link = (parent: Node, child: Node): void => {
    for (let at: Node | undefined = parent; at !== undefined; at = at.parent) if (at === child) return
    child.parent = parent
    parent.children.push(child)
  }
  for (const [i, { references }] of messages.entries()) {
    for (let r = 1; r < references.length; r++) {
      const [parent, child] = [find(references[r - 1]!), find(references[r]!)]
      if (child.parent === undefined) link(parent, child)
    }
    const last = references.length === 0 ? undefined : find(references[references.length - 1]!)
    const node = nodes[i]!
    if (node.parent === last) continue
    unlink(node)
    if (last !== undefined) link(last, node)
  }
  // Step 2.
  for (const node of all) if (node.parent === undefined) root.children.push(node)
  // Step 3.
  const prune = (node: Node): void => {
    for (let i = 0; i < node.children.length;) {
      const child = node.children[i]!
      if (child.message !== undefined) {
        prune(child)
        i++
      } else if (child.children.length === 0) node.children.splice(i, 1)
      else if (node !== root || child.children.length === 1) node.children.splice(i, 1, ...child.children)
      else {
        prune(child)
        // What was below it may be gone, or one alone, by now.
        if (child.children.length > 1) i++
      }
    }
  }
  prune(root)
  const sentOf = (node: Node): readonly [number, number] => {
    const message = node.message ?? node.children[0]!.message!
    return [messages[message]!.sent, message]
  }
  const byDate = (a: Node, b: Node): number => sentOf(a)[0] - sentOf(b)[0] || sentOf(a)[1] - sentOf(b)[1]
  // Step 4.
  for (const top of root.children) if (top.message === undefined) top.children.sort(byDate)
  root.children.sort(byDate)
  // Step 5.
  const first = (node: Node): OracleMessage => messages[node.message ?? node.children[0]!.message!]!
  const table = new Map<string, Node>()
  for (const top of root.children) {
    const { subject } = first(top)
    if (subject === '') continue
    const known = table.get(subject)
    if (known === undefined || (known.message !== undefined && (top.message === undefined || (first(known).isReply && !first(top).isReply)))) table.set(subject, top)
  }
  for (const top of root.children) {
    const { subject } = first(top)
    const known = table.get(subject)
    if (subject === '' || known === undefined || known === top) continue
    root.children = root.children.filter((c) => c !== top)
    if (known.message === undefined && top.message === undefined) known.children.push(...top.children)
    else if (known.message === undefined || (first(top).isReply && !first(known).isReply)) known.children.push(top)
    else {
      const dummy: Node = { message: undefined, parent: undefined, children: [known, top] }
      root.children = root.children.map((c) => (c === known ? dummy : c))
      table.set(subject, dummy)
    }
  }
  // Step 6.
  const sort = (node: Node): void => {
    for (const child of node.children) sort(child)
    node.children.sort(byDate)
  }
  sort(root)
  const tree = (node: Node): OracleTree => [node.message ?? -1, ...node.children.map(tree)]
  return root.children.map(tree)
}
