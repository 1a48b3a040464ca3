import type { ThreadNode, UidSet } from '../../api/index.js'
import type { SharedMailbox } from '../registry/shared-mailbox.js'

/** Octets kept for all mailboxes of a host; those of the mailbox that was used longest ago go first. */
const BUDGET = 48 * 1024 * 1024
/** Results of one kind that are kept of a mailbox. */
const RESULTS = 4

/** Values of one name, by ascending uids. */
export interface KeptValues {
  readonly uids: Uint32Array
  readonly values: readonly (string | number)[]
}
interface Result<T> {
  readonly name: string
  readonly of: UidSet
  readonly result: T
}

/** Results, the one used last at the end. */
class Results<T> {
  readonly #kept: Result<T>[] = []
  get(name: string, of: UidSet): T | undefined {
    const at = this.#kept.findIndex((r) => r.name === name && isSame(r.of, of))
    if (at === -1) return undefined
    const [found] = this.#kept.splice(at, 1)
    if (found !== undefined) this.#kept.push(found)
    return found?.result
  }
  keep(name: string, of: UidSet, result: T): void {
    this.#kept.push({ name, of, result })
    if (this.#kept.length > RESULTS) this.#kept.shift()
  }
  /** Messages in all of them. */
  get messages(): number {
    return this.#kept.reduce((sum, r) => sum + r.of.count, 0)
  }
}

/** What was found out of the messages of one mailbox, as long as its numbers mean them. */
export class OrderFacts {
  readonly epoch: number
  readonly values = new Map<string, KeptValues>()
  readonly orders = new Results<Uint32Array>()
  readonly threads = new Results<readonly ThreadNode[]>()
  constructor(epoch: number) {
    this.epoch = epoch
  }
  /** About as many octets as it takes. */
  get octets(): number {
    let octets = 1024 + this.orders.messages * 8 + this.threads.messages * 112
    for (const { values } of this.values.values()) octets += values.length * 12 + textOctets(values)
    return octets
  }
}
function textOctets(values: readonly (string | number)[]): number {
  let octets = 0
  for (const value of values) if (typeof value === 'string') octets += value.length + 24
  return octets
}

/** Keeps what sorting and threading found out, within a bound. Losing it costs time. */
export class OrderMemory {
  readonly #budget: number
  readonly #of = new WeakMap<SharedMailbox, OrderFacts>()
  /** Octets, those used last at the end; facts of a mailbox that was closed go as they come to the front. */
  readonly #sizes = new Map<OrderFacts, { readonly octets: number; drop(): void }>()
  #octets = 0
  constructor(budget = BUDGET) {
    this.#budget = budget
  }
  get octets(): number {
    return this.#octets
  }
  of(mailbox: SharedMailbox): OrderFacts {
    const { epoch } = mailbox.table
    let facts = this.#of.get(mailbox)
    if (facts === undefined || facts.epoch !== epoch) {
      if (facts !== undefined) this.#forget(facts)
      this.#of.set(mailbox, (facts = new OrderFacts(epoch)))
    }
    return facts
  }
  /** After something was added to it. */
  grown(mailbox: SharedMailbox, facts: OrderFacts): void {
    // They may be of an earlier epoch, or gone to make room, while they were added to.
    if (this.#of.get(mailbox) !== facts) return
    this.#forget(facts)
    const known = new WeakRef(mailbox)
    const drop = (): void => {
      const still = known.deref()
      if (still !== undefined && this.#of.get(still) === facts) this.#of.delete(still)
    }
    const { octets } = facts
    this.#sizes.set(facts, { octets, drop })
    this.#octets += octets
    for (const [old, entry] of this.#sizes) {
      if (this.#octets <= this.#budget) break
      this.#forget(old)
      entry.drop()
    }
  }
  #forget(facts: OrderFacts): void {
    const entry = this.#sizes.get(facts)
    if (entry === undefined) return
    this.#sizes.delete(facts)
    this.#octets -= entry.octets
  }
}

function isSame(a: UidSet, b: UidSet): boolean {
  const [x, y] = [a.ranges, b.ranges]
  if (a.count !== b.count || x.length !== y.length) return false
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return false
  return true
}
