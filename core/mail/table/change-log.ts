import { uids, type UidSet } from '../../api/index.js'

/** A line for every session, as a driver said it. */
export interface Notice {
  readonly severity: 'information' | 'warning'
  readonly text: string
}
/** Whoever must not be told of its own doing. */
export type Author = object

const PARTS = 64
const MANY_NODES = 1024
/** Numbers that are sorted rather than merged. */
const SORTED = 4096

/**
 * One place in the log of flag news, a link of a chain. A session keeps the last link that it has told; links before the
 * slowest session's are garbage, so nobody trims. Sums of uids are taken in batches of 64, and links between two sessions' places are
 * joined when there are many, so that a session that stays behind costs at most the mailbox's uids and not every STORE.
 */
export class LogNode {
  author: Author | undefined
  flags: UidSet[] = []
  notices: readonly Notice[] = []
  keywords = false
  /** Sessions whose place this is; nothing may be added to what they have told. */
  holders = 0
  next: LogNode | undefined
  readonly number: number
  constructor(author: Author | undefined, number: number) {
    this.author = author
    this.number = number
  }
  add(set: UidSet): void {
    this.flags.push(set)
    if (this.flags.length >= PARTS) this.flags = [sumOf(this.flags)]
  }
  /** Takes over what an earlier link says. Whose doing it was is forgotten where they differ: at worst somebody hears of it twice. */
  takeIn(earlier: LogNode): void {
    if (earlier.author !== this.author) this.author = undefined
    for (const set of earlier.flags) this.add(set)
    this.notices = [...earlier.notices, ...this.notices]
    this.keywords ||= earlier.keywords
  }
}

/** What is appended at the end of the chain. */
export class ChangeLog {
  tail = new LogNode(undefined, 0)
  #nodes = 1
  readonly #many: number
  constructor(many = MANY_NODES) {
    this.#many = many
  }
  /** The link to write on: the last one when no session has told it yet and it is by the same author. */
  at(author: Author | undefined, slowest: () => LogNode): LogNode {
    const tail = this.tail
    if (tail.holders === 0 && tail.number > 0 && tail.author === author) return tail
    if (++this.#nodes > this.#many) this.#join(slowest())
    const node = new LogNode(author, tail.number + 1)
    tail.next = node
    this.tail = node
    return node
  }
  /** Links that are no session's place become part of the next that is, or of the last one. */
  #join(from: LogNode): void {
    let place = from
    this.#nodes = 2
    for (let node = place.next; node !== undefined; node = node.next) {
      const { next } = node
      if (node.holders === 0 && next !== undefined) {
        next.takeIn(node)
        place.next = next
        continue
      }
      place = node
      this.#nodes++
    }
  }
}

/** All uids of all sets: few sets one after the other, many small ones in one sort. */
function sumOf(sets: readonly UidSet[]): UidSet {
  if (sets.length <= 2) return sets.length === 0 ? uids.none : sets.length === 1 ? sets[0]! : sets[0]!.or(sets[1]!)
  let octets = 0
  for (const set of sets) octets += set.ranges.length
  if (octets > SORTED) return sumOf([sumOf(sets.slice(0, sets.length >>> 1)), sumOf(sets.slice(sets.length >>> 1))])
  const pairs = new Uint32Array(octets)
  let at = 0
  for (const set of sets) {
    pairs.set(set.ranges, at)
    at += set.ranges.length
  }
  return uids.ranges(pairs)
}

/** The sum of the flag news after a link, less what `reader` did itself. */
export function newsAfter(node: LogNode, reader: Author): { readonly flags: UidSet; readonly notices: readonly Notice[]; readonly keywords: boolean; readonly end: LogNode } {
  const parts: UidSet[] = []
  let notices: readonly Notice[] = []
  let keywords = false
  let at = node
  while (at.next !== undefined) {
    at = at.next
    if (at.author !== reader) parts.push(...at.flags)
    if (at.notices.length > 0) notices = [...notices, ...at.notices]
    if (at.keywords) keywords = true
  }
  return { flags: sumOf(parts), notices, keywords, end: at }
}
