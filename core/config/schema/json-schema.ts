import { z } from 'zod'
import { objectSchema, type Choice } from './choice.js'
import { listenerSection } from './listeners.js'
import { hostSections, processSections, sectionHelp } from './sections.js'
import { corePoints } from '../points.js'

/** A JSON Schema, or a part of one. */
export interface JsonSchema {
  [keyword: string]: unknown
  properties?: Record<string, JsonSchema>
}

/** The schema of a configuration file, for editors; `choices` are what may stand after `use`. */
export function jsonSchema(choices: readonly Choice[]): JsonSchema {
  const process = sections(processSections)
  const definitions: Record<string, JsonSchema> = {}
  const host = sections(hostSections)
  for (const { point, help } of corePoints) {
    const keys = point.slot.replace(/^hosts\.\*\./, '').split('.')
    const into = point.slot.startsWith('hosts.*.') ? host : process
    definitions[point.id] = entrySchema(choices.filter((c) => c.point.id === point.id))
    const entry = { $ref: `#/$defs/${point.id}` }
    put(into, keys, { description: help, ...(point.pick === 'one' ? entry : { anyOf: [{ type: 'array', items: entry }, entry] }) })
    if (point.pick === 'all' && keys.at(-1) === 'extensions') {
      const names = choices.filter((c) => c.point.id === point.id && !c.core).map((c) => c.name)
      put(into, [...keys.slice(0, -1), 'without'], { type: 'array', items: { anyOf: [{ enum: names }, { type: 'string' }] }, description: 'Names that are left out.' })
    }
  }
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Mailwright configuration',
    type: 'object',
    properties: {
      version: { const: 1, description: "Version of the configuration's format." },
      $import: { type: ['string', 'array'], items: { type: 'string' }, description: 'Files that lie under this one.' },
      plugins: {
        type: 'array',
        items: { anyOf: [{ type: 'string' }, { type: 'object', properties: { use: { type: 'string' }, optional: { type: 'boolean' } }, required: ['use'], additionalProperties: false }] },
        description: 'Plugins beyond the built-in ones: packages and paths.',
      },
      ...process.properties,
      listeners: { type: 'object', additionalProperties: plain(listenerSection), description: 'Where clients connect.' },
      // Plugins bring places of their own, so keys that are not known here are left to the server's own check.
      hosts: { type: 'object', additionalProperties: host, description: 'Virtual hosts; each states only what differs from "default".' },
    },
    $defs: definitions,
  }
}

function sections(table: Readonly<Record<string, z.ZodObject>>): JsonSchema {
  return { type: 'object', properties: Object.fromEntries(Object.entries(table).map(([key, schema]) => [key, { ...plain(schema), description: sectionHelp[key as keyof typeof sectionHelp] }])) }
}

function put(into: JsonSchema, keys: readonly string[], schema: JsonSchema): void {
  const [key = '', ...rest] = keys
  into.properties ??= {}
  if (rest.length === 0) into.properties[key] = schema
  else put((into.properties[key] ??= { type: 'object' }), rest, schema)
}

/** One entry of a point: a name, or a mapping with `use` and the settings of what it names. */
function entrySchema(choices: readonly Choice[]): JsonSchema {
  const named = choices.map((choice) => {
    const own = objectSchema(choice.settings)
    const settings = own === undefined ? {} : plain(own)
    return {
      type: 'object',
      description: choice.summary,
      ...settings,
      properties: { use: { enum: [choice.name, `${choice.plugin}/${choice.name}`] }, optional: { type: 'boolean' }, ...settings.properties },
      required: ['use', ...(Array.isArray(settings['required']) ? settings['required'] : [])],
      // Keys of nested choices are no part of a plugin's own schema.
      additionalProperties: true,
    }
  })
  const names = [...new Set(choices.map((c) => c.name))]
  const known = { not: { properties: { use: { enum: choices.flatMap((c) => [c.name, `${c.plugin}/${c.name}`]) } }, required: ['use'] } }
  const other = { type: 'object', properties: { use: { type: 'string' } }, required: ['use'], ...(names.length === 0 ? {} : { allOf: [known] }) }
  return { anyOf: [...(names.length === 0 ? [] : [{ enum: names }]), { type: 'string' }, ...named, other] }
}

/** Of the input, without what zod adds for a schema that stands alone. */
function plain(schema: z.ZodObject): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return rest as JsonSchema
}
