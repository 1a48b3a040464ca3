import { performance } from 'node:perf_hooks'
import type { AnyFact, AppendItem, AppendResult, ArrivingOctets, StoredMessage } from '../../api/index.js'
import { headerEnd } from '../../mime/header.js'
import type { SharedMailbox } from '../registry/shared-mailbox.js'
import { deriveOne, sortFacts, type Derived, type Derivers } from '../view/deriving.js'

/** Octets of the messages of a delivery, in their order; undefined where the store does not say how it gives them out, or has them elsewhere than in memory. */
export type OctetsInMemory = readonly (Uint8Array | undefined)[]
/** Collects them while they arrive. */
export class OctetsOnTheWay {
  readonly list: (Uint8Array | undefined)[] = []
  /** The same message, of which the store may say what it will be. */
  heard(item: AppendItem): AppendItem {
    const place = this.list.length
    this.list.push(undefined)
    return { ...item, bytes: new Heard(item.bytes, (octets) => (this.list[place] = octets)) }
  }
}
class Heard implements ArrivingOctets {
  readonly willBe: (octets: Uint8Array) => void
  readonly #inner: ArrivingOctets
  constructor(inner: ArrivingOctets, willBe: (octets: Uint8Array) => void) {
    this.#inner = inner
    this.willBe = willBe
  }
  atOnce(): Uint8Array | undefined {
    return this.#inner.atOnce?.()
  }
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#inner[Symbol.asyncIterator]()
  }
}

/** What is to be made, and who hears of how many messages something was kept, and how it is written. */
export interface MakingParts {
  readonly derivers: Derivers
  wanted(mailbox: SharedMailbox): Promise<readonly AnyFact[]>
  kept(mailbox: SharedMailbox, messages: number, flush: () => Promise<void>): void
  failed(mailbox: SharedMailbox, error: unknown): void
}

/**
 * Makes facts of the messages of one delivery, which are in the table, out of the octets that are still in memory, a little at a time. What the table does not know under its
 * number as being as long as that, under the same UIDVALIDITY, is left to whoever reads it, and so is the rest once something has failed.
 */
export class FactsOnTheWay {
  readonly mailbox: SharedMailbox
  /** All that is held. */
  readonly size: number
  readonly #octets: OctetsInMemory
  readonly #uids: readonly number[]
  readonly #uidValidity: number
  readonly #epoch: number
  readonly #parts: MakingParts
  #derived: readonly Derived[] | undefined
  /** Of the next message. */
  #next = 0
  constructor(mailbox: SharedMailbox, octets: OctetsInMemory, result: AppendResult, parts: MakingParts) {
    this.mailbox = mailbox
    this.size = octets.reduce((sum, one) => sum + (one?.length ?? 0), 0)
    this.#octets = octets
    this.#uids = numbersOf(result)
    this.#uidValidity = result.uidValidity
    this.#epoch = mailbox.table.epoch
    this.#parts = parts
  }
  /** Works until then (as `performance.now`); whether there is more to be made. */
  async work(until: number): Promise<boolean> {
    const from = this.#next
    let isMore = false
    try {
      isMore = await this.#some(until)
    } catch (error) {
      this.#parts.failed(this.mailbox, error)
    }
    const made = this.#next - from
    if (made > 0) this.#parts.kept(this.mailbox, made, async () => this.#derived?.[0]?.facts.flush())
    return isMore
  }
  async #some(until: number): Promise<boolean> {
    const derived = (this.#derived ??= await this.#begin())
    if (derived.length === 0) return false
    while (this.#next < this.#uids.length) {
      if (performance.now() >= until) return true
      const n = this.#next++
      const [uid, octets] = [this.#uids[n]!, this.#octets[n]]
      if (!this.#holds(uid, octets)) continue
      const message = new MessageOnTheWay(uid, octets)
      // One after the other: what fails later, behind one that has failed at once, nobody would hear of, and that ends the process.
      for (const one of derived) {
        const value = deriveOne(message, one, this.mailbox, this.#epoch, this.mailbox.signal)
        if (value instanceof Promise) await value
      }
    }
    return false
  }
  async #begin(): Promise<readonly Derived[]> {
    if (this.#uids.length !== this.#octets.length) return []
    const { derived } = await sortFacts(this.mailbox, await this.#parts.wanted(this.mailbox), this.#parts.derivers)
    // Facts that are of more than the octets need the message where it lies.
    const ofOctets = derived.filter(({ deriver }) => deriver.reads !== 'sidecar')
    for (const { facts } of ofOctets) await facts.load(this.#uids[0]!, this.#uids[this.#uids.length - 1]!)
    return ofOctets
  }
  /** The message is there, and these are its octets. */
  #holds(uid: number, octets: Uint8Array | undefined): octets is Uint8Array {
    const { table, gone } = this.mailbox
    return octets !== undefined && gone === undefined && table.means(this.#epoch) && table.uidValidity === this.#uidValidity && table.sizeOf(uid) === octets.length
  }
}
/** Ascending, which is their order in the delivery. */
function numbersOf({ uids: { ranges } }: AppendResult): readonly number[] {
  const numbers: number[] = []
  for (let i = 0; i < ranges.length; i += 2) for (let uid = ranges[i]!; uid <= ranges[i + 1]!; uid++) numbers.push(uid)
  return numbers
}

/** A message that is all in memory. */
class MessageOnTheWay implements StoredMessage {
  readonly uid: number
  readonly headerSize: number
  readonly bytes: StoredMessage['bytes']
  constructor(uid: number, octets: Uint8Array) {
    this.uid = uid
    this.headerSize = headerEnd(octets)
    this.bytes = {
      size: octets.length,
      inline: octets,
      read(at, into) {
        const piece = octets.subarray(at, at + into.length)
        into.set(piece)
        return Promise.resolve(piece.length)
      },
    }
  }
}
