import type { z } from 'zod'

/** One setting as people see it. */
export interface Field {
  readonly key: string
  readonly description: string | undefined
  /** As it is written in a file; undefined when there is none. */
  readonly fallback: unknown
  readonly required: boolean
  /** Of a setting that is a mapping. */
  readonly fields: readonly Field[]
}

/** The settings of an object schema in the order of its declaration. */
export function fieldsOf(schema: z.ZodObject): Field[] {
  return Object.entries(schema.shape).map(([key, type]) => field(key, type))
}

function field(key: string, type: unknown): Field {
  let at: unknown = type
  let description: string | undefined
  let fallback: unknown
  let required = true
  for (;;) {
    description ??= text(member(at, 'description'))
    const definition = member(at, 'def')
    const kind = member(definition, 'type')
    if (kind === 'default' || kind === 'prefault') fallback ??= member(definition, 'defaultValue')
    if (kind === 'default' || kind === 'prefault' || kind === 'optional') required = false
    const inner = member(definition, 'innerType')
    if (inner === undefined) break
    at = inner
  }
  const shape = member(at, 'shape')
  const nested = typeof shape === 'object' && shape !== null ? Object.entries(shape).map(([k, t]) => field(k, t)) : []
  return { key, description, fallback: nested.length > 0 ? undefined : fallback, required, fields: nested }
}

function member(of: unknown, key: string): unknown {
  return typeof of === 'object' && of !== null ? Reflect.get(of, key) : undefined
}
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
