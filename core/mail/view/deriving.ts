import { uids } from '../../api/index.js'
import type { AnyFact, FactDeriver, Pace, SealedDeriver, StoredMessage, UidSet, Wants } from '../../api/index.js'
import type { LoadableFacts } from '../registry/mailbox-state.js'
import type { SharedMailbox } from '../registry/shared-mailbox.js'
import { factsOf } from './facts.js'

/** Derivers by the fact that they make. */
export type Derivers = ReadonlyMap<string, FactDeriver<unknown>>
/** The first deriver of each fact. */
export function deriverTable(list: readonly SealedDeriver[]): Derivers {
  const table = new Map<string, FactDeriver<unknown>>()
  for (const sealed of list) {
    // sealDeriver is the only maker of a SealedDeriver, and it hides a FactDeriver.
    const deriver = sealed as FactDeriver<unknown>
    if (!table.has(deriver.fact.id)) table.set(deriver.fact.id, deriver)
  }
  return table
}

/** A fact that core derives, and where it is kept. */
export interface Derived {
  readonly deriver: FactDeriver<unknown>
  readonly facts: LoadableFacts
}
/** Facts that the source has itself, and those that core derives; of others there is none. */
export async function sortFacts(m: SharedMailbox, wanted: readonly AnyFact[], derivers: Derivers): Promise<{ readonly native: readonly AnyFact[]; readonly derived: readonly Derived[] }> {
  const native: AnyFact[] = []
  const derived: Derived[] = []
  for (const fact of wanted) {
    const deriver = derivers.get(fact.id)
    if (m.source.traits.facts.some((f) => f.id === fact.id && f.version === fact.version)) native.push(fact)
    else if (deriver !== undefined) derived.push({ deriver, facts: await factsOf(m, deriver.fact) })
  }
  return { native, derived }
}
/** Those of the uids of which a fact is wanting; what is kept of them was loaded. */
export function uidsWithout(set: UidSet, derived: readonly Derived[]): UidSet {
  const out: number[] = []
  for (let i = 0; i < set.ranges.length; i += 2) {
    for (let uid = set.ranges[i]!; uid <= set.ranges[i + 1]!; uid++) {
      for (const { facts } of derived) {
        if (facts.get(uid) !== undefined) continue
        out.push(uid)
        break
      }
    }
  }
  return uids.from(out)
}
/** How much of a message must be read for these facts, and for whoever wants `wanted` of it. */
export function depthFor(wanted: Wants['bytes'], derived: readonly Derived[]): Wants['bytes'] {
  if (wanted === 'whole' || derived.some(({ deriver }) => deriver.reads === 'whole')) return 'whole'
  return derived.some(({ deriver }) => deriver.reads === 'header') ? 'header' : wanted
}
/** Values of facts as they are kept, in the order in which the facts were asked for. */
export type Values = readonly Uint8Array[]

/**
 * Makes and keeps what is wanting of messages that were read in this epoch, giving way to others in between; the values of each. A fact must not be kept
 * for what has the number of its message in another epoch.
 */
export async function derive(
  messages: readonly StoredMessage[],
  derived: readonly Derived[],
  { mailbox, epoch }: { readonly mailbox: SharedMailbox; readonly epoch: number },
  pace: Pace,
  signal: AbortSignal,
): Promise<readonly Values[]> {
  const all: Values[] = []
  for (const message of messages) {
    const values: Uint8Array[] = []
    for (const one of derived) {
      const value = deriveOne(message, one, mailbox, epoch, signal)
      values.push(value instanceof Promise ? await value : value)
    }
    all.push(values)
    if (pace.due()) await pace.turn()
  }
  return all
}
/** The value that is kept, or one that is made and kept. */
export function deriveOne(message: StoredMessage, one: Derived, mailbox: SharedMailbox, epoch: number, signal: AbortSignal): Uint8Array | Promise<Uint8Array> {
  const known = one.facts.get(message.uid)
  if (known !== undefined) return known
  const value = one.deriver.derive(message, signal)
  if (value instanceof Promise) return value.then((late: unknown) => keep(late, message.uid, one, mailbox, epoch))
  return keep(value, message.uid, one, mailbox, epoch)
}
function keep(value: unknown, uid: number, { deriver, facts }: Derived, mailbox: SharedMailbox, epoch: number): Uint8Array {
  const octets = deriver.fact.codec.encode(value)
  mailbox.mustMean(epoch)
  facts.put(uid, octets)
  return octets
}
