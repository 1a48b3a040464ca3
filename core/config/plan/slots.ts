import { valueOf, type ConfigNode } from '../tree.js'
import type { Faults } from './faults.js'
import type { ChosenEntry, ChosenSlot, SlotPoint } from './types.js'

/** One point at its place. */
export interface SlotAt {
  readonly point: SlotPoint
  readonly node: ConfigNode | undefined
  readonly path: string
  readonly fallback: readonly string[] | undefined
  readonly without: ChosenSlot['without']
  readonly folder: string
}

/** What the configuration chose: a list, or a single choice without a list around it. */
export function readSlot(slot: SlotAt, faults: Faults): ChosenSlot {
  const { point, node, path, fallback, without, folder } = slot
  const base = { point: point.id, path, said: node !== undefined, without, folder }
  if (node === undefined) {
    const entries = fallback?.map((use, i): ChosenEntry => ({ use, path: point.pick === 'one' ? path : `${path}[${i}]`, settings: {}, optional: false, folder }))
    return { ...base, entries }
  }
  const items = node.kind === 'list' ? node.items : [node]
  if (point.pick === 'one' && items.length > 1) faults.at(node, 'CFG_ONE_ONLY', 'takes one choice, not a list')
  const entries = items.flatMap((item) => readEntry(item, faults) ?? [])
  if (point.pick === 'all') {
    const seen = new Set<string>()
    for (const entry of entries) {
      if (seen.has(entry.use)) faults.path(entry.path, 'CFG_DUPLICATE', `"${entry.use}" stands here twice`)
      seen.add(entry.use)
    }
  }
  return { ...base, entries }
}

function readEntry(node: ConfigNode, faults: Faults): ChosenEntry | undefined {
  const at = { path: node.at.path, folder: node.at.folder }
  if (node.kind === 'scalar' && typeof node.value === 'string' && node.value !== '') return { use: node.value, settings: {}, optional: false, ...at }
  if (node.kind !== 'map') {
    faults.at(node, 'CFG_BAD_ENTRY', 'expected a name or { use: NAME, ... }')
    return undefined
  }
  const use = node.entries.get('use')
  const optional = node.entries.get('optional')
  if (use?.kind !== 'scalar' || typeof use.value !== 'string' || use.value === '') {
    faults.at(use ?? node, 'CFG_BAD_ENTRY', 'expected a name under "use"', use === undefined ? 'write { use: NAME, ... }' : undefined)
    return undefined
  }
  if (optional !== undefined && (optional.kind !== 'scalar' || typeof optional.value !== 'boolean')) faults.at(optional, 'CFG_SETTING', 'expected true or false')
  const settings = Object.fromEntries([...node.entries].filter(([key]) => key !== 'use' && key !== 'optional').map(([key, value]) => [key, valueOf(value)]))
  return { use: use.value, settings, optional: optional?.kind === 'scalar' && optional.value === true, ...at }
}

/** A list of short names. */
export function readWithout(node: ConfigNode | undefined, faults: Faults): ChosenSlot['without'] {
  if (node === undefined) return []
  if (node.kind !== 'list') {
    faults.at(node, 'CFG_SETTING', 'expected a list of names')
    return []
  }
  return node.items.flatMap((item) => {
    if (item.kind === 'scalar' && typeof item.value === 'string') return [{ name: item.value, path: item.at.path }]
    faults.at(item, 'CFG_SETTING', 'expected a name')
    return []
  })
}
