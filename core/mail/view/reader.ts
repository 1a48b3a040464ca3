import { Pace, uids } from '../../api/index.js'
import type { AnyFact, Fact, MessageBytes, StoredMessage, UidSet, Wants } from '../../api/index.js'
import { MailError } from '../../api/index.js'
import { asMailFailure } from '../failures.js'
import type { SharedMailbox } from '../registry/shared-mailbox.js'
import type { Generation } from '../table/generation.js'
import { numbersOf, rowsOf, uidsOf } from '../table/row-sets.js'
import { derive, depthFor, sortFacts, type Derived, type Derivers, type Values } from './deriving.js'

/** Messages whose facts are looked up together: long enough to amortise a call of the source, short enough to hold. */
const CHUNK = 1024
/** And so far from one another at most: what lies between them is looked up as well. */
const SPAN = 4096
/** Facts are made so long before others have a turn; reading a batch and sending it may take as long again. */
const SLICE_MS = 4
const LAST_UID = 0xffffffff

/** The messages that a session's numbers name: those of `mailbox` in this epoch, as this generation has them. */
export interface Sight {
  readonly mailbox: SharedMailbox
  readonly generation: Generation
  readonly epoch: number
}

/**
 * Reads messages as a session sees them. Facts come from the source where it has them, otherwise from the cache, otherwise they are
 * derived from the message and kept; a batch whose facts are all cached touches no message.
 */
export async function* readMessages(sight: Sight, set: UidSet, wants: Wants, derivers: Derivers, signal: AbortSignal): AsyncGenerator<readonly StoredMessage[]> {
  const { mailbox: m, generation: seen, epoch } = sight
  const { native, derived } = await sortFacts(m, wants.facts, derivers)
  if (derived.length === 0) {
    yield* readStored(sight, set, wants, signal)
    return
  }
  m.state?.cache.asked(derived.map(({ deriver }) => deriver.fact))
  const factsAlone = wants.bytes === 'none' && wants.sections.length === 0 && native.length === 0
  const pace = new Pace(signal, SLICE_MS)
  let put = false
  try {
    for (const chunk of chunks(set, seen)) {
      const { ranges } = chunk
      for (const { facts } of derived) await facts.load(ranges[0]!, ranges[ranges.length - 1]!)
      m.mustMean(epoch)
      const known = new KnownFacts(sight, chunk, derived)
      const { missing } = known
      if (missing.count > 0) put = true
      if (!factsAlone) {
        const bytes = missing.count > 0 ? depthFor(wants.bytes, derived) : wants.bytes
        for await (const batch of readStored(sight, chunk, { bytes, sections: wants.sections, facts: native }, signal)) {
          await derive(batch, derived, sight, pace, signal)
          yield batch.map((message) => new WithFacts(message, derived, sight))
        }
        continue
      }
      // What is derived goes on its way at once: the client takes it while the next messages are read.
      if (missing.count > 0) {
        for await (const read of readStored(sight, missing, { bytes: depthFor('none', derived), sections: [], facts: [] }, signal)) {
          known.add(read, await derive(read, derived, sight, pace, signal))
          const batch = known.messagesTo(read[read.length - 1]?.uid ?? 0)
          if (batch.length > 0) yield batch
        }
      }
      m.mustMean(epoch)
      const batch = known.messagesTo(LAST_UID)
      if (batch.length > 0) yield batch
    }
  } finally {
    if (put) for (const { facts } of derived) facts.flush().catch(() => undefined)
  }
}

/** Existing uids of the set in pieces. */
function* chunks(set: UidSet, seen: Generation): Generator<UidSet> {
  const { pairs } = rowsOf(seen, set, seen.length)
  let part: number[] = []
  let count = 0
  for (let i = 0; i < pairs.length; i += 2) {
    for (let row = pairs[i]!; row <= pairs[i + 1]!; ) {
      if (count === CHUNK || (count > 0 && row - part[0]! >= SPAN)) {
        yield uidsOf(seen, { pairs: Uint32Array.from(part), count })
        part = []
        count = 0
      }
      const last = Math.min(pairs[i + 1]!, row + CHUNK - count - 1)
      part.push(row, last)
      count += last - row + 1
      row = last + 1
    }
  }
  if (count > 0) yield uidsOf(seen, { pairs: Uint32Array.from(part), count })
}
/** What is known of the facts of a chunk, a column for each fact: thousands of small objects cost more than what is in them. */
class KnownFacts {
  /** Those of which a fact was wanting at first. */
  readonly missing: UidSet
  readonly #sight: Sight
  readonly #derived: readonly Derived[]
  readonly #uids: Uint32Array
  readonly #columns: readonly (Uint8Array | undefined)[][]
  /** As far as messages were handed out, and values added. */
  #handed = 0
  #added = 0
  /** What is kept of the uids was loaded. */
  constructor(sight: Sight, chunk: UidSet, derived: readonly Derived[]) {
    this.#sight = sight
    this.#derived = derived
    this.#uids = numbersOf(chunk)
    this.#columns = derived.map(({ facts }) => facts.all(this.#uids))
    this.missing = this.#uidsWithout()
  }
  #uidsWithout(): UidSet {
    const out: number[] = []
    for (let i = 0; i < this.#uids.length; i++) if (!this.#isWhole(i)) out.push(this.#uids[i]!)
    return uids.from(out)
  }
  #isWhole(i: number): boolean {
    for (let c = 0; c < this.#columns.length; c++) if (this.#columns[c]![i] === undefined) return false
    return true
  }
  /** Values that were made, of messages in ascending order. */
  add(messages: readonly StoredMessage[], values: readonly Values[]): void {
    for (const [n, { uid }] of messages.entries()) {
      while (this.#uids[this.#added]! < uid) this.#added++
      if (this.#uids[this.#added] !== uid) continue
      for (const [c, column] of this.#columns.entries()) column[this.#added] = values[n]![c]
    }
  }
  /** The next ones, to this uid, whose facts are all there. */
  messagesTo(last: number): readonly StoredMessage[] {
    const out: StoredMessage[] = []
    for (; this.#handed < this.#uids.length && this.#uids[this.#handed]! <= last; this.#handed++) {
      if (this.#isWhole(this.#handed)) out.push(new FactsAlone(this.#sight, this.#uids[this.#handed]!, this.#derived, this.#columns, this.#handed))
    }
    return out
  }
}

/**
 * What the source has. Messages that are removed already, but not yet for this session, are asked for only where the source says that it
 * keeps them until `reclaim`: elsewhere the old columns would point to other messages.
 *
 * @throws MailError `vanished` as soon as the numbers mean other messages; nothing of those is handed out.
 */
export async function* readStored(sight: Sight, set: UidSet, wants: Wants, signal: AbortSignal): AsyncGenerator<readonly StoredMessage[]> {
  const { mailbox: m, epoch } = sight
  try {
    for (const { part, rows } of partsOf(sight, set)) {
      m.mustMean(epoch)
      for await (const batch of m.source.read(part, wants, rows, signal)) {
        m.mustMean(epoch)
        yield batch.every(isWhole) ? batch : batch.map((message) => (isWhole(message) ? message : new ReadLater(message, sight)))
      }
    }
  } catch (error) {
    throw asMailFailure(error)
  }
}
/** The set in ascending parts, each with the generation whose columns say where its messages are. */
function partsOf({ mailbox: m, generation: seen }: Sight, set: UidSet): readonly { readonly part: UidSet; readonly rows: Generation }[] {
  const now = m.table.generation
  if (seen === now) return [{ part: set, rows: now }]
  const removed = goneSince(seen).and(set)
  if (removed.count === 0 || m.source.reclaim === undefined) return [{ part: set.minus(removed), rows: now }]
  const parts: { readonly part: UidSet; readonly rows: Generation }[] = []
  const between = (first: number, last: number): void => {
    const part = first > last ? uids.none : set.and(uids.ranges(Uint32Array.of(first, last)))
    if (part.count > 0) parts.push({ part, rows: now })
  }
  let from = 1
  for (let i = 0; i < removed.ranges.length; i += 2) {
    const first = removed.ranges[i]!
    const last = removed.ranges[i + 1]!
    between(from, first - 1)
    parts.push({ part: uids.ranges(Uint32Array.of(first, last)), rows: seen })
    from = last + 1
  }
  between(from, LAST_UID)
  return parts
}
/** Nothing of it is read after it was handed out. */
function isWhole(message: StoredMessage): boolean {
  return message.section === undefined && message.bytes.inline !== undefined
}
/** Uids removed after this generation. */
export function goneSince(seen: Generation): UidSet {
  let gone = uids.none
  for (let at = seen; at.next !== undefined; at = at.next.generation) gone = gone.or(at.next.removed)
  return gone
}

/** Where the fact stands among these, -1 where it is none of them. */
function placeOf(derived: readonly Derived[], f: AnyFact): number {
  for (let i = 0; i < derived.length; i++) {
    const { fact } = derived[i]!.deriver
    if (fact.id === f.id && fact.version === f.version) return i
  }
  return -1
}
/** A message of which octets are read after it was handed out: they count only while its number is its own. */
class ReadLater implements StoredMessage {
  readonly uid: number
  readonly headerSize: number
  readonly bytes: MessageBytes
  readonly section?: NonNullable<StoredMessage['section']>
  readonly #inner: StoredMessage
  constructor(inner: StoredMessage, sight: Sight) {
    this.uid = inner.uid
    this.headerSize = inner.headerSize
    this.bytes = whileMeant(inner.bytes, sight)
    if (inner.section !== undefined) {
      this.section = (s) => {
        const part = inner.section?.(s)
        return part === undefined ? undefined : whileMeant(part, sight)
      }
    }
    this.#inner = inner
  }
  fact<T>(f: Fact<T>): T | undefined {
    return this.#inner.fact?.(f)
  }
}
function whileMeant(bytes: MessageBytes, { mailbox, epoch }: Sight): MessageBytes {
  if (bytes.inline !== undefined) return bytes
  return {
    size: bytes.size,
    async read(at, into, signal) {
      mailbox.mustMean(epoch)
      const got = await bytes.read(at, into, signal)
      mailbox.mustMean(epoch)
      return got
    },
  }
}
/** A stored message together with what core derived. */
class WithFacts implements StoredMessage {
  readonly uid: number
  readonly #inner: StoredMessage
  readonly #derived: readonly Derived[]
  readonly #sight: Sight
  readonly section?: NonNullable<StoredMessage['section']>
  constructor(inner: StoredMessage, derived: readonly Derived[], sight: Sight) {
    this.#sight = sight
    this.uid = inner.uid
    this.#inner = inner
    this.#derived = derived
    if (inner.section !== undefined) this.section = (s) => inner.section?.(s)
  }
  get headerSize(): number {
    return this.#inner.headerSize
  }
  get bytes(): MessageBytes {
    return this.#inner.bytes
  }
  fact<T>(f: Fact<T>): T | undefined {
    this.#sight.mailbox.mustMean(this.#sight.epoch)
    const place = placeOf(this.#derived, f)
    const kept = place === -1 ? undefined : this.#derived[place]!.facts.get(this.uid)
    return (kept === undefined ? undefined : f.codec.decode(kept)) ?? this.#inner.fact?.(f)
  }
}
/** A message of which nothing but facts was wanted; its octets are fetched should somebody ask after all. */
class FactsAlone implements StoredMessage {
  readonly uid: number
  readonly headerSize = 0
  readonly #sight: Sight
  readonly #derived: readonly Derived[]
  /** Values in the order of `#derived`, and which of each are of this message. */
  readonly #columns: readonly (readonly (Uint8Array | undefined)[])[]
  readonly #place: number
  constructor(sight: Sight, uid: number, derived: readonly Derived[], columns: readonly (readonly (Uint8Array | undefined)[])[], place: number) {
    this.uid = uid
    this.#sight = sight
    this.#derived = derived
    this.#columns = columns
    this.#place = place
  }
  get bytes(): MessageBytes {
    const seen = this.#sight.generation
    const row = seen.find(this.uid)
    return {
      size: row === -1 ? 0 : seen.size[row]!,
      read: async (at, into, signal) => {
        for await (const batch of readStored(this.#sight, uids.one(this.uid), { bytes: 'whole', sections: [], facts: [] }, signal)) {
          for (const message of batch) return message.bytes.read(at, into, signal)
        }
        throw new MailError('vanished', `message ${this.uid} is gone`)
      },
    }
  }
  fact<T>(f: Fact<T>): T | undefined {
    this.#sight.mailbox.mustMean(this.#sight.epoch)
    const column = placeOf(this.#derived, f)
    const kept = column === -1 ? undefined : this.#columns[column]![this.#place]
    return kept === undefined ? undefined : f.codec.decode(kept)
  }
}
