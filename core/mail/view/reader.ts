import { uids } from '../../api/index.js'
import type { Fact, MessageBytes, StoredMessage, UidSet, Wants } from '../../api/index.js'
import { MailError } from '../../api/index.js'
import { asMailFailure } from '../failures.js'
import type { SharedMailbox } from '../registry/shared-mailbox.js'
import type { Generation } from '../table/generation.js'
import { rowsOf, uidsOf } from '../table/row-sets.js'
import { derive, depthFor, sortFacts, uidsWithout, type Derived, type Derivers } from './deriving.js'

/** Messages whose facts are looked up together: long enough to amortise a call of the source, short enough to hold. */
const CHUNK = 1024
/** And so far from one another at most: what lies between them is looked up as well. */
const SPAN = 4096

/**
 * Reads messages as a session sees them. Facts come from the source where it has them, otherwise from the cache, otherwise they are
 * derived from the message and kept; a batch whose facts are all cached touches no message.
 */
export async function* readMessages(
  m: SharedMailbox,
  seen: Generation,
  set: UidSet,
  wants: Wants,
  derivers: Derivers,
  signal: AbortSignal,
): AsyncGenerator<readonly StoredMessage[]> {
  const { native, derived } = await sortFacts(m, wants.facts, derivers)
  if (derived.length === 0) {
    yield* readStored(m, seen, set, wants, signal)
    return
  }
  m.state?.asked(derived.map(({ deriver }) => deriver.fact))
  const factsAlone = wants.bytes === 'none' && wants.sections.length === 0 && native.length === 0
  const numbering = m.table.uidValidity
  let put = false
  try {
    for (const chunk of chunks(set, seen)) {
      const { ranges } = chunk
      for (const { facts } of derived) await facts.load(ranges[0]!, ranges[ranges.length - 1]!)
      const missing = uidsWithout(chunk, derived)
      if (missing.count > 0) put = true
      if (!factsAlone) {
        const bytes = missing.count > 0 ? depthFor(wants.bytes, derived) : wants.bytes
        for await (const batch of readStored(m, seen, chunk, { bytes, sections: wants.sections, facts: native }, signal)) {
          for (const message of batch) await derive(message, derived, m, numbering, signal)
          yield batch.map((message) => new WithFacts(message, derived))
        }
        continue
      }
      // What is derived goes on its way at once: the client takes it while the next messages are read.
      let from = ranges[0]!
      const known = (last: number): StoredMessage[] => {
        const batch = withFacts(chunk, from, last, derived).map((uid) => new FactsAlone(m, seen, uid, derived))
        from = last + 1
        return batch
      }
      if (missing.count > 0) {
        for await (const read of readStored(m, seen, missing, { bytes: depthFor('none', derived), sections: [], facts: [] }, signal)) {
          for (const message of read) await derive(message, derived, m, numbering, signal)
          const batch = known(read[read.length - 1]?.uid ?? 0)
          if (batch.length > 0) yield batch
        }
      }
      const batch = known(ranges[ranges.length - 1]!)
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
/** Uids of a part of the chunk whose facts are all there. */
function withFacts(chunk: UidSet, from: number, to: number, derived: readonly Derived[]): number[] {
  const out: number[] = []
  const { ranges } = chunk
  for (let i = 0; i < ranges.length; i += 2) {
    const last = Math.min(to, ranges[i + 1]!)
    for (let uid = Math.max(from, ranges[i]!); uid <= last; uid++) if (derived.every(({ facts }) => facts.get(uid) !== undefined)) out.push(uid)
  }
  return out
}

/**
 * What the source has. Messages that are removed already, but not yet for this session, are asked for only where the source says that it
 * keeps them until `reclaim`: elsewhere the old columns would point to other messages.
 */
export async function* readStored(m: SharedMailbox, seen: Generation, set: UidSet, wants: Wants, signal: AbortSignal): AsyncGenerator<readonly StoredMessage[]> {
  const now = m.table.generation
  try {
    if (seen === now) {
      yield* m.source.read(set, wants, now, signal)
      return
    }
    const removed = goneSince(seen).and(set)
    if (removed.count === 0 || m.source.reclaim === undefined) {
      yield* m.source.read(set.minus(removed), wants, now, signal)
      return
    }
    let from = 0
    for (let i = 0; i < removed.ranges.length; i += 2) {
      const first = removed.ranges[i]!
      const last = removed.ranges[i + 1]!
      if (first > from + 1) {
        const before = set.and(uids.ranges(Uint32Array.of(from + 1, first - 1)))
        if (before.count > 0) yield* m.source.read(before, wants, now, signal)
      }
      yield* m.source.read(uids.ranges(Uint32Array.of(first, last)), wants, seen, signal)
      from = last
    }
    if (from < 0xffffffff) {
      const rest = set.and(uids.ranges(Uint32Array.of(from + 1, 0xffffffff)))
      if (rest.count > 0) yield* m.source.read(rest, wants, now, signal)
    }
  } catch (error) {
    throw asMailFailure(error)
  }
}
/** Uids removed after this generation. */
export function goneSince(seen: Generation): UidSet {
  let gone = uids.none
  for (let at = seen; at.next !== undefined; at = at.next.generation) gone = gone.or(at.next.removed)
  return gone
}

function decoded<T>(derived: readonly Derived[], f: Fact<T>, uid: number): T | undefined {
  for (const { deriver, facts } of derived) {
    if (deriver.fact.id !== f.id || deriver.fact.version !== f.version) continue
    const bytes = facts.get(uid)
    return bytes === undefined ? undefined : f.codec.decode(bytes)
  }
  return undefined
}
/** A stored message together with what core derived. */
class WithFacts implements StoredMessage {
  readonly uid: number
  readonly #inner: StoredMessage
  readonly #derived: readonly Derived[]
  readonly section?: NonNullable<StoredMessage['section']>
  constructor(inner: StoredMessage, derived: readonly Derived[]) {
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
    return decoded(this.#derived, f, this.uid) ?? this.#inner.fact?.(f)
  }
}
/** A message of which nothing but cached facts was wanted; its octets are fetched should somebody ask after all. */
class FactsAlone implements StoredMessage {
  readonly uid: number
  readonly headerSize = 0
  readonly #mailbox: SharedMailbox
  readonly #seen: Generation
  readonly #derived: readonly Derived[]
  constructor(mailbox: SharedMailbox, seen: Generation, uid: number, derived: readonly Derived[]) {
    this.uid = uid
    this.#mailbox = mailbox
    this.#seen = seen
    this.#derived = derived
  }
  get bytes(): MessageBytes {
    const row = this.#seen.find(this.uid)
    return {
      size: row === -1 ? 0 : this.#seen.size[row]!,
      read: async (at, into, signal) => {
        for await (const batch of readStored(this.#mailbox, this.#seen, uids.one(this.uid), { bytes: 'whole', sections: [], facts: [] }, signal)) {
          for (const message of batch) return message.bytes.read(at, into, signal)
        }
        throw new MailError('vanished', `message ${this.uid} is gone`)
      },
    }
  }
  fact<T>(f: Fact<T>): T | undefined {
    return decoded(this.#derived, f, this.uid)
  }
}
