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

/** Places of the slots whose choices differ. */
export function changedSlots(a: WiredPart, b: WiredPart): string[] {
  const before = new Map(fingerprint(a).slots)
  return [...b.slots.values()].filter((slot) => !isDeepStrictEqual(before.get(slot.point.id) ?? [], slot.entries.map(entryPrint))).map((slot) => slot.path)
}
