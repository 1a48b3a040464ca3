import type { ThreadNode, UidSet } from '../../api/index.js'
import type { SharedMailbox } from '../registry/shared-mailbox.js'

/** Octets kept for all mailboxes of a host; what was used longest ago goes first. */
const BUDGET = 64 * 1024 * 1024
/** Results of one kind that are kept of a mailbox. */
const RESULTS = 4
/** About as many octets as a result takes for each of its messages. */
const ORDER_OCTETS = 4
const THREAD_OCTETS = 112

/** Values of one name, by ascending uids. */
export interface KeptValues {
  readonly uids: Uint32Array
  readonly values: readonly (string | number)[]
}
/** Octets that a value takes in memory, about. */
export function octetsOf(value: string | number): number {
  return typeof value === 'number' ? 12 : value.length + 36
}

/** Things of any mailboxes, the one used last at the end, with the octets that each takes. */
export class OrderMemory {
  readonly #budget: number
  readonly #kept = new Map<object, { readonly octets: number; drop(): void }>()
  readonly #of = new WeakMap<SharedMailbox, OrderFacts>()
  #octets = 0
  constructor(budget = BUDGET) {
    this.#budget = budget
  }
  get octets(): number {
    return this.#octets
  }
  /** What is kept of a mailbox, until it is closed. What was of numbers that mean other messages now is forgotten. */
  of(mailbox: SharedMailbox): OrderFacts {
    const { epoch } = mailbox.table
    let facts = this.#of.get(mailbox)
    if (facts === undefined || facts.epoch !== epoch) {
      facts?.forget()
      const made = new OrderFacts(epoch, this)
      this.#of.set(mailbox, (facts = made))
      mailbox.signal.addEventListener('abort', () => made.forget(), { once: true })
    }
    return facts
  }
  /** `drop` is called when it has to go, at once where it has no room at all. */
  keep(thing: object, octets: number, drop: () => void): void {
    if (octets > this.#budget) {
      drop()
      return
    }
    this.#kept.set(thing, { octets, drop })
    this.#octets += octets
    for (const [old, entry] of this.#kept) {
      if (this.#octets <= this.#budget) break
      this.forget(old)
      entry.drop()
    }
  }
  used(thing: object): void {
    const entry = this.#kept.get(thing)
    if (entry === undefined) return
    this.#kept.delete(thing)
    this.#kept.set(thing, entry)
  }
  forget(thing: object): void {
    const entry = this.#kept.get(thing)
    if (entry === undefined) return
    this.#kept.delete(thing)
    this.#octets -= entry.octets
  }
}

/** What was found out of the messages of one mailbox, as long as its numbers mean them. Losing it costs time. */
export class OrderFacts {
  readonly epoch: number
  readonly #memory: OrderMemory
  readonly #values = new Map<string, KeptValues>()
  readonly orders: Results<Uint32Array>
  readonly threads: Results<readonly ThreadNode[]>
  constructor(epoch: number, memory: OrderMemory) {
    this.epoch = epoch
    this.#memory = memory
    this.orders = new Results(memory, ORDER_OCTETS)
    this.threads = new Results(memory, THREAD_OCTETS)
  }
  values(name: string): KeptValues | undefined {
    const kept = this.#values.get(name)
    if (kept !== undefined) this.#memory.used(kept)
    return kept
  }
  /** `octets` is what the values take. */
  keep(name: string, kept: KeptValues, octets: number): void {
    const before = this.#values.get(name)
    if (before !== undefined) this.#memory.forget(before)
    this.#values.set(name, kept)
    this.#memory.keep(kept, octets, () => this.#values.delete(name))
  }
  forget(): void {
    for (const kept of this.#values.values()) this.#memory.forget(kept)
    this.#values.clear()
    this.orders.forget()
    this.threads.forget()
  }
}

interface Result<T> {
  readonly name: string
  readonly of: UidSet
  readonly result: T
}
/** Results of some names for some sets of messages, the one used last at the end. */
export class Results<T> {
  readonly #memory: OrderMemory
  readonly #octets: number
  #kept: readonly Result<T>[] = []
  constructor(memory: OrderMemory, octetsOfMessage: number) {
    this.#memory = memory
    this.#octets = octetsOfMessage
  }
  get(name: string, of: UidSet): T | undefined {
    const found = this.#kept.find((r) => r.name === name && isSame(r.of, of))
    if (found === undefined) return undefined
    this.#kept = [...this.#kept.filter((r) => r !== found), found]
    this.#memory.used(found)
    return found.result
  }
  keep(name: string, of: UidSet, result: T): void {
    const [oldest] = this.#kept
    if (oldest !== undefined && this.#kept.length >= RESULTS) this.#drop(oldest)
    const made: Result<T> = { name, of, result }
    this.#kept = [...this.#kept, made]
    this.#memory.keep(made, 256 + of.count * this.#octets + of.ranges.byteLength, () => this.#drop(made))
  }
  forget(): void {
    for (const kept of this.#kept) this.#drop(kept)
  }
  #drop(result: Result<T>): void {
    this.#memory.forget(result)
    this.#kept = this.#kept.filter((r) => r !== result)
  }
}

function isSame(a: UidSet, b: UidSet): boolean {
  const [x, y] = [a.ranges, b.ranges]
  if (a.count !== b.count || x.length !== y.length) return false
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return false
  return true
}
