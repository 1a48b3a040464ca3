import type { SectionSchema } from '../schema/sections.js'
import type { SlotPoint } from './types.js'

/** What may stand at a place of the configuration: settings of a section, a choice for a point, or only further places. */
export interface Place {
  readonly key: string
  schema?: SectionSchema
  /** Key of the section in its table. */
  section?: string
  slot?: SlotPoint
  /** The list of names left out of this point. */
  without?: SlotPoint
  readonly children: Map<string, Place>
}

/** The tree of places made of sections and points; `prefix` is what all slots begin with (`hosts.*.`). */
export function placesOf(sections: Readonly<Record<string, SectionSchema>>, points: readonly SlotPoint[], prefix: string): Place {
  const root: Place = { key: '', children: new Map() }
  for (const [path, schema] of Object.entries(sections)) {
    const place = reach(root, path.split('.'))
    place.schema = schema
    place.section = path
  }
  for (const point of points) {
    const keys = point.slot.slice(prefix.length).split('.')
    reach(root, keys).slot = point
    // The names left out stand beside a list of extensions: `imap.extensions`, `imap.without`.
    if (point.pick === 'all' && keys.at(-1) === 'extensions') reach(root, [...keys.slice(0, -1), 'without']).without = point
  }
  return root
}

function reach(from: Place, keys: readonly string[]): Place {
  let at = from
  for (const key of keys) {
    const next = at.children.get(key) ?? { key, children: new Map<string, Place>() }
    at.children.set(key, next)
    at = next
  }
  return at
}

/** Keys that may stand in a mapping at this place. */
export function keysAt(place: Place): string[] {
  return [...new Set([...Object.keys(place.schema?.shape ?? {}), ...place.children.keys()])]
}
