/** Where a value was written. */
export interface Written {
  /** Place in the configuration as the file has it. */
  readonly path: string
  /** Undefined for a value that a program gave. */
  readonly file: string | undefined
  readonly line: number | undefined
  /** Relative paths start here. */
  readonly folder: string
}
/** A configuration with the place of each value. */
export type ConfigNode = MapNode | ListNode | ScalarNode
export interface MapNode {
  readonly kind: 'map'
  readonly at: Written
  readonly entries: ReadonlyMap<string, ConfigNode>
  /** Keys with nothing behind them: they say nothing, but their names may be wrong. */
  readonly bare?: ReadonlyMap<string, Written>
}
export interface ListNode {
  readonly kind: 'list'
  readonly at: Written
  readonly items: readonly ConfigNode[]
}
export interface ScalarNode {
  readonly kind: 'scalar'
  readonly at: Written
  readonly value: unknown
}

/** Without places. */
export function valueOf(node: ConfigNode): unknown {
  switch (node.kind) {
    case 'map':
      return Object.fromEntries([...node.entries].map(([key, value]) => [key, valueOf(value)]))
    case 'list':
      return node.items.map(valueOf)
    case 'scalar':
      return node.value
  }
}

/** A value of a program, or of a module, as a tree; every node has the same place but its own path. */
export function nodeOf(value: unknown, where: Omit<Written, 'path'>, path = ''): ConfigNode {
  const at = { ...where, path }
  if (Array.isArray(value)) return { kind: 'list', at, items: value.map((item: unknown, i) => nodeOf(item, where, `${path}[${i}]`)) }
  if (typeof value === 'object' && value !== null) {
    const said = Object.entries(value).filter(([, v]) => v !== undefined && v !== null)
    return { kind: 'map', at, entries: new Map(said.map(([key, v]) => [key, nodeOf(v, where, joined(path, key))])) }
  }
  return { kind: 'scalar', at, value }
}

/** Mappings merge, anything else is replaced by what `over` says. */
export function merged(base: ConfigNode | undefined, over: ConfigNode | undefined): ConfigNode | undefined {
  if (base === undefined || over === undefined) return over ?? base
  if (base.kind !== 'map' || over.kind !== 'map') return over
  const entries = new Map(base.entries)
  for (const [key, value] of over.entries) {
    const both = merged(base.entries.get(key), value)
    if (both !== undefined) entries.set(key, both)
  }
  return { kind: 'map', at: over.at, entries, bare: new Map([...(base.bare ?? []), ...(over.bare ?? [])]) }
}

/** `a.b` of `a` and `b`. */
export function joined(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}

/** Keys of `a.b[0].c`. */
export function keysOf(path: string): (string | number)[] {
  return [...path.matchAll(/([^.[\]]+)|\[(\d+)\]/g)].map(([, key, index]) => (index === undefined ? (key ?? '') : Number(index)))
}

/** The node at a path, or the nearest one above it that exists. */
export function nearest(root: ConfigNode, keys: readonly (string | number)[]): { readonly node: ConfigNode; readonly exact: boolean } {
  let node = root
  for (const key of keys) {
    const next = node.kind === 'map' ? node.entries.get(String(key)) : node.kind === 'list' && typeof key === 'number' ? node.items[key] : undefined
    if (next === undefined) return { node, exact: false }
    node = next
  }
  return { node, exact: true }
}
