import { isDeepStrictEqual } from 'node:util'
import type { EntryNode, WiredPart } from './node.js'

/** All that decides what a part is made of; equal ones need not be made again. */
export interface Fingerprint {
  readonly said: unknown
  readonly given: readonly (readonly [string, unknown])[]
  readonly slots: readonly (readonly [string, readonly unknown[]])[]
}

/** As plain values. */
export function fingerprint(wired: WiredPart): Fingerprint {
  return {
    said: wired.part.said,
    given: wired.part.given.map((g) => [g.token.id, g.value] as const),
    slots: [...wired.slots.values()].map((slot) => [slot.point.id, slot.entries.map(entryPrint)] as const),
  }
}
function entryPrint(node: EntryNode): unknown {
  return { plugin: node.plugin, name: node.name, folder: node.entry.folder, settings: node.entry.settings, optional: node.optional, nested: [...node.nested].map(([key, list]) => [key, list.map(entryPrint)]) }
}

/** Whether a reload can keep the part. */
export function samePart(a: WiredPart, b: WiredPart): boolean {
  return isDeepStrictEqual(fingerprint(a), fingerprint(b))
}

/** Places of the process whose content differs: choices, and what else was said, two levels deep. */
export function changedPlaces(a: WiredPart, b: WiredPart): string[] {
  const before = new Map(fingerprint(a).slots)
  const slots = [...b.slots.values()].filter((slot) => !isDeepStrictEqual(before.get(slot.point.id) ?? [], slot.entries.map(entryPrint))).map((slot) => slot.path)
  return [...new Set([...slots, ...differences(a.part.said, b.part.said, '', 2)])]
}

function differences(a: unknown, b: unknown, path: string, depth: number): string[] {
  if (isDeepStrictEqual(a, b)) return []
  if (depth === 0 || !isRecord(a ?? {}) || !isRecord(b ?? {})) return [path]
  const [before, after] = [{ ...(a as object) }, { ...(b as object) }] as Record<string, unknown>[]
  return [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])].flatMap((key) => differences(before?.[key], after?.[key], path === '' ? key : `${path}.${key}`, depth - 1))
}
const isRecord = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)
