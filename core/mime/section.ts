import type { Section } from '../api/index.js'
import type { PartMap } from './part-map.js'

/** Octets of a message, and for HEADER.FIELDS what is to be made of them with `filterHeader`. */
export interface SectionPlace {
  readonly at: number
  readonly size: number
  readonly fields: { readonly names: readonly string[]; readonly not: boolean } | undefined
  /** Transfer encoding of the octets, upper case; only the content of a part has one besides 7BIT. */
  readonly encoding: string
}

/** Whether the place of a section depends on the parts; without part numbers the header's size is enough. */
export function needsParts(s: Section): boolean {
  return s.part.length > 0
}

/** The place of a section without part numbers; undefined when it has some (or is MIME, which wants one). */
export function locateInMessage(s: Section, headerSize: number, size: number): SectionPlace | undefined {
  if (s.part.length > 0) return undefined
  if (s.what === 'all') return place(0, size)
  if (s.what === 'text') return place(headerSize, size - headerSize)
  if (s.what === 'mime') return undefined
  return place(0, headerSize, s.what === 'header' ? undefined : s.what)
}

/**
 * The place of a section of the message that has these parts (RFC 3501 §6.4.5). Undefined when there is no such part: HEADER and TEXT with a number
 * exist for MESSAGE/RFC822 parts only. A message that is no multipart has one part, 1, whose MIME header is the message's.
 */
export function locateSection(root: PartMap, s: Section): SectionPlace | undefined {
  if (s.part.length === 0) return locateInMessage(s, root.headerSize, root.bodyAt + root.bodySize)
  const part = findPart(root, s.part)
  if (part === undefined) return undefined
  if (s.what === 'all') return place(part.bodyAt, part.bodySize, undefined, part.encoding)
  if (s.what === 'mime') return place(part.headerAt, part.headerSize)
  const message = part.kind === 'message' ? part.children[0] : undefined
  if (message === undefined) return undefined
  if (s.what === 'text') return place(message.bodyAt, message.bodySize)
  return place(message.headerAt, message.headerSize, s.what === 'header' ? undefined : s.what)
}

/** The part with these numbers. */
export function findPart(root: PartMap, numbers: readonly number[]): PartMap | undefined {
  let at: PartMap = root
  // A number counts the parts of a multipart; of anything else there is only part 1, which is the thing itself.
  let container: PartMap | undefined = root
  for (const number of numbers) {
    if (container === undefined) return undefined
    const next: PartMap | undefined = container.kind === 'multipart' ? container.children[number - 1] : number === 1 ? container : undefined
    if (next === undefined) return undefined
    at = next
    container = within(next)
  }
  return at
}

/** Where numbers behind this part count on: in a multipart itself, or in the message of a MESSAGE/RFC822. */
function within(part: PartMap): PartMap | undefined {
  if (part.kind === 'message') return part.children[0]
  return part.kind === 'multipart' ? part : undefined
}

function place(at: number, size: number, what?: { readonly fields: readonly string[]; readonly not: boolean }, encoding = '7BIT'): SectionPlace {
  return { at, size, fields: what === undefined ? undefined : { names: what.fields, not: what.not }, encoding }
}
