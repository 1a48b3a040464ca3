import { didYouMean, faultsOf } from '../../api/issues.js'
import type { SectionSchema } from '../schema/sections.js'
import { joined, valueOf, type ConfigNode, type MapNode } from '../tree.js'
import type { Faults } from './faults.js'
import { keysAt, type Place } from './places.js'
import { readSlot, readWithout } from './slots.js'
import type { ChosenSlot } from './types.js'

/** What was found below one place: values of sections by their key, and choices by point. */
export interface Walked {
  readonly sections: ReadonlyMap<string, { readonly value: unknown; readonly node: MapNode | undefined; readonly path: string }>
  readonly slots: readonly ChosenSlot[]
}

/** Reads everything below a place; what nobody knows, and what is wrong, goes to `faults`. */
export function walk(root: Place, node: MapNode | undefined, path: string, fallback: (point: string) => readonly string[] | undefined, folder: string, faults: Faults): Walked {
  const sections = new Map<string, { value: unknown; node: MapNode | undefined; path: string }>()
  const slots: ChosenSlot[] = []

  const visit = (place: Place, said: ConfigNode | undefined, at: string, without: ConfigNode | undefined): void => {
    if (place.without !== undefined) return
    if (place.slot !== undefined) {
      slots.push(readSlot({ point: place.slot, node: said, path: at, fallback: fallback(place.slot.id), without: readWithout(without, faults), folder }, faults))
      return
    }
    const map = said?.kind === 'map' ? said : undefined
    if (said !== undefined && map === undefined) faults.at(said, 'CFG_SETTING', 'expected a mapping')
    if (map !== undefined) reportUnknown(place, map, faults)
    if (place.schema !== undefined && place.section !== undefined) {
      sections.set(place.section, { value: readSection(place.schema, place, map, at, faults), node: map, path: at })
    }
    for (const child of place.children.values()) visit(child, map?.entries.get(child.key), joined(at, child.key), map?.entries.get('without'))
  }
  visit(root, node, path, undefined)
  return { sections, slots }
}

function reportUnknown(place: Place, map: MapNode, faults: Faults): void {
  const known = keysAt(place)
  for (const [key, value] of map.entries) {
    if (!known.includes(key)) faults.at({ at: { ...value.at, path: joined(map.at.path, key) } }, 'CFG_UNKNOWN_KEY', 'unknown setting', didYouMean(key, known))
  }
}

/** A section's own values; where one is wrong its default stands in, so that the rest can still be checked. */
function readSection(schema: SectionSchema, place: Place, map: MapNode | undefined, path: string, faults: Faults): unknown {
  const own = new Map([...(map?.entries ?? [])].filter(([key]) => key in schema.shape && !place.children.has(key)))
  for (let round = 0; round < 2; round++) {
    const result = schema.safeParse(Object.fromEntries([...own].map(([key, value]) => [key, valueOf(value)])))
    if (result.success) return result.data
    for (const fault of faultsOf(schema, result.error.issues)) {
      const code = fault.kind === 'unknown-key' ? 'CFG_UNKNOWN_KEY' : 'CFG_SETTING'
      if (map === undefined) faults.path(`${path}${fault.path}`, code, fault.message, fault.hint)
      else faults.below(map, fault.path, code, fault.message, fault.hint)
    }
    for (const issue of result.error.issues) own.delete(String(issue.path[0]))
  }
  return schema.parse({})
}
