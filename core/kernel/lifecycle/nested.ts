import type { PlanEntry } from '../plan.js'
import type { NeedTable } from '../registry/registrar.js'
import { isChosen } from './node.js'

/** What stands under one key of an entry's settings for a `nested` or `nestedList` need. */
export interface NestedChoice {
  readonly key: string
  readonly point: string
  readonly many: boolean
  readonly entries: readonly PlanEntry[]
}

/** The entries that stand in an entry's own settings, under the keys of its `nested` needs. */
export function nestedEntries(needs: NeedTable, entry: PlanEntry): NestedChoice[] {
  return Object.entries(needs).flatMap(([key, need]) => {
    if (!isChosen(need) || need.from !== 'own-settings') return []
    const said = entry.settings[key]
    const list = said === undefined ? [] : Array.isArray(said) ? said : [said]
    return [{ key, point: need.point, many: need.many, entries: list.flatMap((value: unknown, i) => nestedEntry(value, `${entry.path}.${key}${Array.isArray(said) ? `[${i}]` : ''}`, entry) ?? []) }]
  })
}

function nestedEntry(value: unknown, path: string, outer: PlanEntry): PlanEntry | undefined {
  if (typeof value === 'string') return { use: value, path, settings: {}, optional: false, folder: outer.folder }
  if (typeof value !== 'object' || value === null || !('use' in value) || typeof value.use !== 'string') return undefined
  const { use, ...settings } = value
  return { use, path, settings, optional: false, folder: outer.folder }
}
