import type { Slot } from '../api/index.js'

/** What plugins keep in one session, by slot id; a slot is made when it is first asked for. */
export class SlotTable {
  readonly #kept = new Map<string, { readonly slot: Slot<unknown>; value: unknown }>()
  /** Values that came with a handover, in wire form, until their owner asks. */
  readonly #crossed: Map<string, Uint8Array>

  constructor(crossed: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.#crossed = new Map(crossed)
  }

  get<T>(slot: Slot<T>): T {
    const kept = this.#kept.get(slot.id)
    // Ids name their owner's type: `createSlot` is called once per id.
    if (kept !== undefined) return kept.value as T
    const octets = this.#crossed.get(slot.id)
    const value = octets !== undefined && slot.crosses !== undefined ? slot.crosses.decode(octets) : slot.initial()
    this.set(slot, value)
    return value
  }
  set<T>(slot: Slot<T>, value: T): void {
    this.#crossed.delete(slot.id)
    // Only id, lifetime and codec are used of a kept slot, and the codec only on the value beside it.
    this.#kept.set(slot.id, { slot: slot as unknown as Slot<unknown>, value })
  }
  /** Forgets the slots whose life ends with `event`; a logout or an UNAUTHENTICATE ends those of a mailbox too. */
  drop(event: Slot<unknown>['until']): void {
    for (const [id, { slot }] of this.#kept) {
      if (slot.until === event || slot.until === 'unselect' || event === 'logout') this.#kept.delete(id)
    }
  }
  /** Values of the slots that have a codec, for a handover. */
  cross(): ReadonlyMap<string, Uint8Array> {
    const octets = new Map(this.#crossed)
    for (const [id, { slot, value }] of this.#kept) if (slot.crosses !== undefined) octets.set(id, slot.crosses.encode(value))
    return octets
  }
}
