import { fieldsOf, type Field } from '../schema/fields.js'
import { hostSections, processSections, type SectionSchema } from '../schema/sections.js'
import { valueOf, type ConfigNode, type MapNode } from '../tree.js'
import type { ReadHost } from './host.js'
import type { SettingSource } from './types.js'
import type { Walked } from './walk.js'

/** Every core setting with the value it has, as one would write it, and the place that says so. */
export function settingSources(process: Walked, hosts: readonly ReadHost[]): SettingSource[] {
  return [...sources(processSections, process), ...hosts.flatMap((host) => sources(hostSections, host.walked))]
}

function sources(table: Readonly<Record<string, SectionSchema>>, walked: Walked): SettingSource[] {
  return Object.entries(table).flatMap(([key, schema]) => {
    const found = walked.sections.get(key)
    return found === undefined ? [] : fieldsOf(schema).flatMap((field) => source(field, found.node, found.path))
  })
}

function source(field: Field, map: ConfigNode | MapNode | undefined, path: string): SettingSource[] {
  const said = map?.kind === 'map' ? map.entries.get(field.key) : undefined
  const at = `${path}.${field.key}`
  if (field.fields.length > 0) return field.fields.flatMap((inner) => source(inner, said, at))
  const value = said === undefined ? field.fallback : valueOf(said)
  return value === undefined ? [] : [{ path: at, value, file: said?.at.file, line: said?.at.line }]
}
