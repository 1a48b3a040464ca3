import { UNKNOWN } from '../../api/index.js'
import type { UidSet } from '../../api/index.js'
import type { SharedMailbox } from '../registry/shared-mailbox.js'
import { lowerBound } from '../table/generation.js'
import { factsOf } from '../view/facts.js'
import type { Derived } from '../view/deriving.js'

/** Messages that were copied from another mailbox as they lay there: what is known of the one is known of the other. */
export class Copies {
  readonly #from: SharedMailbox
  /** UIDVALIDITY of the other mailbox at the copy. */
  readonly #numbering: number
  /** Uids there and here, pair by pair, ascending. */
  readonly #source: Uint32Array
  readonly #target: Uint32Array
  constructor(from: SharedMailbox, source: UidSet, target: UidSet) {
    this.#from = from
    this.#numbering = from.table.uidValidity
    this.#source = listed(source)
    this.#target = listed(target)
  }
  /** Gives these uids of the mailbox, as far as they are copies, the facts that the other mailbox has of them. */
  async carry(set: UidSet, derived: readonly Derived[], { table }: SharedMailbox, numbering: number): Promise<void> {
    const { table: there } = this.#from
    const pairs = this.#pairs(set).filter(([from, to]) => alike(there.sizeOf(from), table.sizeOf(to)))
    if (pairs.length === 0) return
    for (const { deriver, facts } of derived) {
      const known = await factsOf(this.#from, deriver.fact)
      await known.load(pairs[0]![0], pairs[pairs.length - 1]![0])
      if (there.uidValidity !== this.#numbering || table.uidValidity !== numbering) return
      for (const [from, to] of pairs) {
        const value = facts.get(to) === undefined ? known.get(from) : undefined
        if (value !== undefined) facts.put(to, value)
      }
    }
  }
  #pairs(set: UidSet): (readonly [from: number, to: number])[] {
    const out: (readonly [number, number])[] = []
    for (let i = 0, at = 0; i < set.ranges.length; i += 2) {
      at = lowerBound(this.#target, this.#target.length, set.ranges[i]!, at)
      for (; at < this.#target.length && this.#target[at]! <= set.ranges[i + 1]!; at++) out.push([this.#source[at]!, this.#target[at]!])
    }
    return out
  }
}

/** A message that is gone, as after MOVE, has no size any more. */
function alike(there: number, here: number): boolean {
  return there === here || there === UNKNOWN
}
function listed({ ranges, count }: UidSet): Uint32Array {
  const out = new Uint32Array(count)
  let filled = 0
  for (let i = 0; i < ranges.length; i += 2) for (let uid = ranges[i]!; uid <= ranges[i + 1]!; uid++) out[filled++] = uid
  return out
}
