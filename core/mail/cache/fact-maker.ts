import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { BODYSTRUCTURE, ENVELOPE, Pace } from '../../api/index.js'
import type { AnyFact, AppendResult, Clock, Logger, UidSet } from '../../api/index.js'
import type { SourceRegistry } from '../registry/registry.js'
import type { ArrivalHearer, SharedMailbox } from '../registry/shared-mailbox.js'
import { lowerBound } from '../table/generation.js'
import { rowRange, uidsOf } from '../table/row-sets.js'
import { depthFor, derive, sortFacts, uidsWithout, type Derived, type Derivers } from '../view/deriving.js'
import { readStored } from '../view/reader.js'
import { Copies } from './copies.js'
import { FactsOnTheWay, type MakingParts, type OctetsInMemory } from './facts-on-the-way.js'
import { SpareTime } from './spare-time.js'

/** Messages made without a turn of the loop: some milliseconds. */
const STEP = 32
/** How long it works between two pauses; a pause is as long as the work before it. */
const WORK_MS = 10
/** After the last arrival: whoever brings many messages is not kept waiting for what nobody asked for yet. */
const QUIET_MS = 500
/** While they keep coming, work is done so often all the same. */
const LONGEST_WAIT_MS = 2000
const MIN_PAUSE_MS = 10
/** While the process has much else to do. */
const MAX_PAUSE_MS = 250
/** Part of a pause that the event loop may have been busy with other work. */
const BUSY = 0.5
/** Facts of so many messages are written together. */
const WRITE_EVERY = 512
/** So many of the newest messages are made; older ones, which a first look finds, when they are asked for. */
const MOST = 10_000
/** Octets of deliveries that are held so that facts are made of them, and for how long at most. */
const HELD = { octets: 16 * 1024 * 1024, ms: 2000 }
/** What every mail client asks for. */
const USUAL: readonly AnyFact[] = [ENVELOPE, BODYSTRUCTURE]

/** What the maker needs of a host. */
export interface MakerParts {
  readonly derivers: Derivers
  readonly registry: SourceRegistry
  readonly clock: Clock
  readonly logger: Logger
}
/** A mailbox with messages that nobody has looked at for facts. */
interface Waiting {
  /** Of which UIDVALIDITY `from` is. */
  numbering: number
  /** The first of them that this process knows of. */
  from: number
  /** What an earlier process left was counted in. */
  resumed: boolean
  unwritten: number
  readonly copies: Copies[]
}

/**
 * Makes the facts of messages that arrived, before a client asks: those that clients asked for lately, or what the setting says. One mailbox at a
 * time, in small steps with pauses in which sessions go on; what is made is what a FETCH would make, and a FETCH that comes first makes it
 * itself. Nothing waits for it. What is left when it is stopped goes on when the mailbox is opened the next time.
 */
export class FactMaker implements ArrivalHearer, AsyncDisposable {
  readonly #parts: MakerParts
  readonly #waiting = new Map<SharedMailbox, Waiting>()
  readonly #ending = new AbortController()
  #timer: Disposable | undefined
  #pause = MIN_PAUSE_MS
  #arrivedAt = -Infinity
  #workedAt = -Infinity
  #idleSince = performance.eventLoopUtilization()
  #step: Promise<void> | undefined
  /** In which facts are made of octets that are still in memory. */
  readonly #spareTime: SpareTime
  constructor(parts: MakerParts) {
    this.#parts = parts
    this.#spareTime = new SpareTime(parts.clock, HELD)
  }
  arrived(mailbox: SharedMailbox, set: UidSet): void {
    if (!this.#makesFor(mailbox)) return
    this.#arrivedAt = this.#parts.clock.steady()
    if (this.#waiting.size === 0) this.#workedAt = this.#arrivedAt
    const { uidValidity, uidNext } = mailbox.table
    const from = set.ranges[0] ?? uidNext
    const waiting = this.#waiting.get(mailbox)
    if (waiting === undefined || waiting.numbering !== uidValidity) this.#waiting.set(mailbox, { numbering: uidValidity, from, resumed: false, unwritten: 0, copies: [] })
    else waiting.from = Math.min(waiting.from, from)
    this.#after(QUIET_MS)
  }
  /** After `arrived`, if that told of them. */
  copied(from: SharedMailbox, source: UidSet, to: SharedMailbox, target: UidSet): void {
    const waiting = this.#waiting.get(to)
    if (waiting?.numbering === to.table.uidValidity) waiting.copies.push(new Copies(from, source, target))
  }
  arriving(): void {
    this.#spareTime.busy()
  }
  saving(): Disposable {
    return this.#spareTime.hold()
  }
  saved(mailbox: SharedMailbox, octets: OctetsInMemory, result: AppendResult, by: 'client' | 'others'): void {
    if (!this.#makesFor(mailbox) || octets.every((one) => one === undefined)) return
    const parts: MakingParts = {
      derivers: this.#parts.derivers,
      wanted: (m) => this.#wanted(m, by === 'client' ? USUAL : []),
      kept: (m, messages, flush) => {
        const waiting = this.#waiting.get(m)
        if (waiting === undefined || (waiting.unwritten += messages) < WRITE_EVERY) return
        waiting.unwritten = 0
        // What cannot be written stays in memory for the next time.
        flush().catch(() => undefined)
      },
      failed: (m, error) => this.#parts.logger.debug('mail.facts-not-made', { key: m.key, error }),
    }
    this.#spareTime.add(new FactsOnTheWay(mailbox, octets, result, parts))
  }
  #makesFor({ settings, state }: SharedMailbox): boolean {
    return settings.makeOnArrival !== 'never' && state !== undefined && this.#parts.derivers.size > 0 && !this.#ending.signal.aborted
  }
  #after(ms: number): void {
    if (this.#timer !== undefined || this.#step !== undefined || this.#waiting.size === 0 || this.#ending.signal.aborted) return
    this.#timer = this.#parts.clock.after(ms, () => {
      this.#timer = undefined
      if (this.#mustWait()) {
        this.#after(this.#pause)
        return
      }
      this.#workedAt = this.#parts.clock.steady()
      const began = performance.now()
      this.#step = this.#next().finally(() => {
        this.#step = undefined
        this.#pause = Math.max(MIN_PAUSE_MS, Math.round(performance.now() - began))
        this.#idleSince = performance.eventLoopUtilization()
        this.#after(this.#pause)
      })
    })
  }
  /** While messages arrive, or sessions keep the process busy, pauses grow; they end all the same. */
  #mustWait(): boolean {
    const now = this.#parts.clock.steady()
    if (now - this.#arrivedAt < QUIET_MS && now - this.#workedAt < LONGEST_WAIT_MS) {
      this.#pause = QUIET_MS
      return true
    }
    const { utilization } = performance.eventLoopUtilization(this.#idleSince)
    this.#idleSince = performance.eventLoopUtilization()
    if (utilization <= BUSY || this.#pause >= MAX_PAUSE_MS) return false
    this.#pause = Math.min(MAX_PAUSE_MS, 2 * this.#pause)
    return true
  }
  async #next(): Promise<void> {
    const [first] = this.#waiting
    if (first === undefined) return
    const [mailbox, waiting] = first
    const { registry, logger } = this.#parts
    const open = await registry.borrow(mailbox.key)
    try {
      if (open === mailbox && mailbox.gone === undefined && (await this.#some(mailbox, waiting))) return
    } catch (error) {
      logger.debug('mail.facts-not-made', { key: mailbox.key, error })
    } finally {
      if (open !== undefined) registry.release(open)
    }
    if (this.#waiting.get(mailbox) === waiting) this.#waiting.delete(mailbox)
  }
  /** False when nothing is left to make. */
  async #some(mailbox: SharedMailbox, waiting: Waiting): Promise<boolean> {
    const { state, table } = mailbox
    const { derived } = await sortFacts(mailbox, await this.#wanted(mailbox), this.#parts.derivers)
    if (state === undefined || waiting.numbering !== table.uidValidity) return false
    if (derived.length === 0) {
      // Made of messages that a client put here, and wanted by nobody yet.
      if (waiting.unwritten > 0) await (await state.cache.facts(ENVELOPE)).flush()
      return false
    }
    if (!waiting.resumed) {
      const before = await state.cache.madeTo()
      // Said before anything is made: should the process end now, the next one goes on from here.
      if (before === undefined) await state.cache.made(waiting.from - 1)
      else waiting.from = Math.min(waiting.from, before + 1)
      waiting.resumed = true
    }
    const ends = performance.now() + WORK_MS
    while (performance.now() < ends) {
      const part = nextOf(waiting.from, mailbox)
      if (part.count === 0) break
      waiting.from = part.ranges[part.ranges.length - 1]! + 1
      waiting.unwritten += await this.#part(mailbox, part, derived, waiting)
      await setImmediate()
    }
    if (nextOf(waiting.from, mailbox).count === 0 || waiting.unwritten >= WRITE_EVERY) {
      if (waiting.unwritten > 0) await derived[0]?.facts.flush()
      waiting.unwritten = 0
      await state.cache.made(waiting.from - 1)
    }
    // More may have arrived meanwhile.
    return nextOf(waiting.from, mailbox).count > 0
  }
  /** Takes over or makes what is wanting of these; returns of how many messages something was. One that cannot be read keeps none of the later parts back. */
  async #part(mailbox: SharedMailbox, part: UidSet, derived: readonly Derived[], { numbering, copies }: Waiting): Promise<number> {
    const signal = AbortSignal.any([mailbox.signal, this.#ending.signal])
    const { epoch } = mailbox.table
    for (const { facts } of derived) await facts.load(part.ranges[0]!, part.ranges[part.ranges.length - 1]!)
    const wanting = uidsWithout(part, derived)
    if (wanting.count === 0) return 0
    try {
      for (const copied of copies) await copied.carry(wanting, derived, mailbox, numbering)
      const missing = uidsWithout(wanting, derived)
      const wants = { bytes: depthFor('none', derived), sections: [], facts: [] }
      if (missing.count === 0) return wanting.count
      const sight = { mailbox, generation: mailbox.table.generation, epoch }
      const pace = new Pace(signal)
      for await (const batch of readStored(sight, missing, wants, signal)) await derive(batch, derived, sight, pace, signal)
    } catch (error) {
      signal.throwIfAborted()
      this.#parts.logger.debug('mail.facts-not-made', { key: mailbox.key, error })
    }
    return wanting.count
  }
  /** `unknown`: what is guessed where nobody has asked for anything yet. */
  async #wanted(mailbox: SharedMailbox, unknown: readonly AnyFact[] = []): Promise<readonly AnyFact[]> {
    const { derivers } = this.#parts
    const ids = new Set((await mailbox.state?.cache.lately()) ?? unknown.map(({ id }) => id))
    if (mailbox.settings.makeOnArrival === 'always') for (const { id } of USUAL) ids.add(id)
    return [...ids].flatMap((id) => derivers.get(id)?.fact ?? [])
  }
  /** Stops; what is under way ends first. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort()
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    await this.#step
    await this.#spareTime[Symbol.asyncDispose]()
    this.#waiting.clear()
  }
}
/** The first messages from this uid on, of the newest. */
function nextOf(from: number, { table }: SharedMailbox): UidSet {
  const row = Math.max(table.length - MOST, lowerBound(table.generation.uid, table.length, from))
  return uidsOf(table.generation, rowRange(row, Math.min(table.length, row + STEP)))
}
