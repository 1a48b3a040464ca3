import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import type { AnyFact, AppendItem, AppendResult, ArrivingOctets, Clock, StoredMessage } from '../../api/index.js'
import { headerEnd } from '../../mime/header.js'
import type { Making, SharedMailbox } from '../registry/shared-mailbox.js'
import { sortFacts, type Derived, type Derivers } from '../view/deriving.js'

/** Work between two turns of the loop: what the store waits for is not kept waiting for longer. */
const SLICE_MS = 0.5
/** Once the store is done: between two slices, in which sessions go on. */
const PAUSE_MS = 1
/** So long after that the octets are given up at the latest. */
const LONGEST_MS = 50
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
  readonly clock: Clock
  /** Given when the octets have been in memory for long enough: whatever takes long is given up, and no more is made behind the store. */
  readonly signal: AbortSignal
  wanted(mailbox: SharedMailbox): Promise<readonly AnyFact[]>
  kept(mailbox: SharedMailbox, messages: number, flush: () => Promise<void>): void
  failed(mailbox: SharedMailbox, error: unknown): void
}

/**
 * Makes facts of messages while a store puts them into a mailbox, whose turn it is: while the store waits for the disk the event loop has time. It stops when the store
 * is done. What it had begun with by then it goes on with, with pauses, as long as the octets may stay in memory; the rest is left to whoever comes later. Nothing is kept
 * before the messages are in the table under the very numbers that they were made for, with as many octets.
 */
export class FactsOnTheWay implements Making {
  readonly #mailbox: SharedMailbox
  readonly #octets: readonly (Uint8Array | undefined)[]
  readonly #parts: MakingParts
  readonly #epoch: number
  /** Of the first message, should nobody else's come before it. */
  readonly #firstUid: number
  readonly #signal: AbortSignal
  readonly #making: Promise<void>
  /** The store is done. */
  #stored = false
  #hasFailed = false
  #derived: readonly Derived[] = []
  /** In the order of `#derived`, for each message from the first on; undefined: it is not known what the store makes of it. */
  readonly #values: (readonly Uint8Array[] | undefined)[] = []
  constructor(mailbox: SharedMailbox, octets: readonly (Uint8Array | undefined)[], parts: MakingParts) {
    this.#mailbox = mailbox
    this.#octets = octets
    this.#parts = parts
    this.#signal = AbortSignal.any([mailbox.signal, parts.signal])
    this.#epoch = mailbox.table.epoch
    this.#firstUid = mailbox.table.uidNext
    this.#making = this.#make().catch((error: unknown) => this.#failed(error))
  }
  async #make(): Promise<void> {
    // The store begins first.
    await setImmediate()
    const { derived } = await sortFacts(this.#mailbox, await this.#parts.wanted(this.#mailbox), this.#parts.derivers)
    // Facts that are of more than the octets need the message where it lies.
    this.#derived = derived.filter(({ deriver }) => deriver.reads !== 'sidecar')
    if (this.#derived.length === 0) return
    while (!this.#stored && (await this.#slice(() => !this.#stored))) await setImmediate()
  }
  /** Whether there is more to be made. */
  async #slice(goesOn: () => boolean): Promise<boolean> {
    const ends = performance.now() + SLICE_MS
    for (let n = this.#values.length; n < this.#octets.length; n++) {
      if (performance.now() >= ends || !goesOn()) return true
      const octets = this.#octets[n]
      this.#values.push(octets && (await this.#valuesOf(new MessageOnTheWay(this.#firstUid + n, octets))))
    }
    return false
  }
  /** One after the other: what fails later, behind one that has failed at once, nobody would hear of, and that ends the process. */
  async #valuesOf(message: StoredMessage): Promise<readonly Uint8Array[]> {
    const values: Uint8Array[] = []
    for (const { deriver } of this.#derived) {
      const value = deriver.derive(message, this.#signal)
      values.push(deriver.fact.codec.encode(value instanceof Promise ? await value : value))
    }
    return values
  }
  stop(): void {
    this.#stored = true
  }
  arrived(result: AppendResult): void {
    this.stop()
    this.#keepAll(result).catch((error: unknown) => this.#failed(error))
  }
  async #keepAll(result: AppendResult): Promise<void> {
    // The client is answered first.
    await setImmediate()
    const { uids: { ranges, count } } = result
    const last = this.#firstUid + count - 1
    // Others' messages may have come first; then these have not the numbers that they were made for.
    if (count !== this.#octets.length || ranges[0] !== this.#firstUid || ranges[ranges.length - 1] !== last) return
    const kept = await this.#keep(result, 0)
    await this.#making
    try {
      await this.#goOn()
    } finally {
      await this.#keep(result, kept)
    }
  }
  async #goOn(): Promise<void> {
    const { clock } = this.#parts
    const ends = clock.now() + LONGEST_MS
    const goesOn = (): boolean => !this.#hasFailed && !this.#signal.aborted && clock.now() < ends
    // What was not begun with came and went too fast for anything to be made beside it.
    for (let isLeft = this.#values.length > 0; isLeft && goesOn(); isLeft = await this.#slice(goesOn)) await this.#pause()
  }
  #pause(): Promise<void> {
    const { clock, signal } = this.#parts
    return new Promise((resolve) => {
      const over = (): void => {
        timer[Symbol.dispose]()
        signal.removeEventListener('abort', over)
        resolve()
      }
      const timer = clock.after(PAUSE_MS, over)
      signal.addEventListener('abort', over)
    })
  }
  /** Keeps what was made from the n-th message on; answers behind which. */
  async #keep({ uidValidity }: AppendResult, from: number): Promise<number> {
    const { table } = this.#mailbox
    const made = this.#values.length
    let kept = 0
    for (let at = from; at < made; at += KEPT_AT_ONCE) {
      if (at > from) await setImmediate()
      const part = this.#values.slice(at, Math.min(made, at + KEPT_AT_ONCE))
      const first = this.#firstUid + at
      for (const { facts } of this.#derived) await facts.load(first, first + part.length - 1)
      if (!table.means(this.#epoch) || table.uidValidity !== uidValidity) return made
      for (const [n, values] of part.entries()) {
        const uid = first + n
        if (values === undefined || table.sizeOf(uid) !== this.#octets[at + n]?.length) continue
        for (const [i, value] of values.entries()) this.#derived[i]!.facts.put(uid, value)
        kept++
      }
    }
    if (kept > 0) this.#parts.kept(this.#mailbox, kept, () => this.#derived[0]!.facts.flush())
    return made
  }
  #failed(error: unknown): void {
    this.#hasFailed = true
    this.#parts.failed(this.#mailbox, error)
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
