import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import type { AnyFact, AppendItem, AppendResult, ArrivingOctets, StoredMessage } from '../../api/index.js'
import { headerEnd } from '../../mime/header.js'
import type { Making, SharedMailbox } from '../registry/shared-mailbox.js'
import { sortFacts, type Derived, type Derivers } from '../view/deriving.js'

/** Work between two turns of the loop: what the store waits for is not kept waiting for longer. */
const SLICE_MS = 0.5
/** A turn is given after so many values at the latest. */
const KEPT_AT_ONCE = 512

/** Octets of the messages of a delivery, in their order; undefined where the store does not say how it gives them out, or has them elsewhere than in memory. */
export class OctetsOnTheWay {
  readonly list: (Uint8Array | undefined)[] = []
  /** The same message, of which the store may say what it will be. */
  heard(item: AppendItem): AppendItem {
    const place = this.list.length
    this.list.push(undefined)
    // A number that is wished for is known when it is given.
    return item.uid === undefined ? { ...item, bytes: new Heard(item.bytes, (octets) => (this.list[place] = octets)) } : item
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
 * Makes facts of messages while a store puts them into a mailbox, whose turn it is: while the store waits for the disk the event loop has time. It stops when the store
 * is done, and what was not made by then is left to whoever comes later. Nothing is kept before the messages are in the table under the very numbers that they were made
 * for, with as many octets.
 */
export class FactsOnTheWay implements Making {
  readonly #mailbox: SharedMailbox
  readonly #octets: readonly (Uint8Array | undefined)[]
  readonly #parts: MakingParts
  readonly #epoch: number
  /** Of the first message, should nobody else's come before it. */
  readonly #firstUid: number
  readonly #stopping = new AbortController()
  #derived: readonly Derived[] = []
  /** In the order of `#derived`, for each message from the first on; undefined: not made. */
  readonly #values: (readonly Uint8Array[] | undefined)[] = []
  constructor(mailbox: SharedMailbox, octets: readonly (Uint8Array | undefined)[], parts: MakingParts) {
    this.#mailbox = mailbox
    this.#octets = octets
    this.#parts = parts
    this.#epoch = mailbox.table.epoch
    this.#firstUid = mailbox.table.uidNext
    this.#make().catch((error: unknown) => this.#failed(error))
  }
  async #make(): Promise<void> {
    // The store begins first.
    await setImmediate()
    const { derived } = await sortFacts(this.#mailbox, await this.#parts.wanted(this.#mailbox), this.#parts.derivers)
    // Facts that are of more than the octets need the message where it lies.
    this.#derived = derived.filter(({ deriver }) => deriver.reads !== 'sidecar')
    if (this.#derived.length === 0) return
    let ends = performance.now() + SLICE_MS
    for (const [n, octets] of this.#octets.entries()) {
      if (performance.now() >= ends) {
        await setImmediate()
        ends = performance.now() + SLICE_MS
      }
      if (this.#stopping.signal.aborted) return
      this.#values.push(octets && (await this.#valuesOf(new MessageOnTheWay(this.#firstUid + n, octets))))
    }
  }
  /** One after the other: what fails later, behind one that has failed at once, nobody would hear of, and that ends the process. */
  async #valuesOf(message: StoredMessage): Promise<readonly Uint8Array[]> {
    const values: Uint8Array[] = []
    for (const { deriver } of this.#derived) {
      const value = deriver.derive(message, this.#stopping.signal)
      values.push(deriver.fact.codec.encode(value instanceof Promise ? await value : value))
    }
    return values
  }
  stop(): void {
    this.#stopping.abort()
  }
  arrived(result: AppendResult): void {
    this.stop()
    this.#keep(result).catch((error: unknown) => this.#failed(error))
  }
  async #keep({ uidValidity, uids: { ranges, count } }: AppendResult): Promise<void> {
    const { table } = this.#mailbox
    const made = this.#values.slice()
    // The client is answered first.
    await setImmediate()
    const last = this.#firstUid + count - 1
    // Others' messages may have come first; then these have not the numbers that they were made for.
    if (made.length === 0 || count !== this.#octets.length || ranges[0] !== this.#firstUid || ranges[ranges.length - 1] !== last) return
    let kept = 0
    for (let at = 0; at < made.length; at += KEPT_AT_ONCE) {
      const part = made.slice(at, at + KEPT_AT_ONCE)
      const first = this.#firstUid + at
      for (const { facts } of this.#derived) await facts.load(first, first + part.length - 1)
      if (!table.means(this.#epoch) || table.uidValidity !== uidValidity) return
      for (const [n, values] of part.entries()) {
        const uid = first + n
        if (values === undefined || table.sizeOf(uid) !== this.#octets[at + n]?.length) continue
        for (const [i, value] of values.entries()) this.#derived[i]!.facts.put(uid, value)
        kept++
      }
      if (at + KEPT_AT_ONCE < made.length) await setImmediate()
    }
    if (kept > 0) this.#parts.kept(this.#mailbox, kept, () => this.#derived[0]!.facts.flush())
  }
  #failed(error: unknown): void {
    if (!this.#stopping.signal.aborted || !(error instanceof Error && error.name === 'AbortError')) this.#parts.failed(this.#mailbox, error)
  }
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
