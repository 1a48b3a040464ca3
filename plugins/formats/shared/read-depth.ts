import type { Section, Wants } from 'mailwright/api'

/** How much of a message is read. */
export type Depth = Wants['bytes']

const ORDER: readonly Depth[] = ['none', 'header', 'whole']

/** What must be read of each message for what is wanted: a part of one is found only by reading the message. */
export function depthOf({ bytes, sections }: Wants): Depth {
  const all = [bytes, ...sections.map(depthOfSection)]
  return ORDER.findLast((depth) => all.includes(depth)) ?? 'none'
}
function depthOfSection({ part, what }: Section): Depth {
  return part.length > 0 || what === 'all' || what === 'text' ? 'whole' : 'header'
}
