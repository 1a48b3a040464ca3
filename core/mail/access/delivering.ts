import { MailError } from '../../api/index.js'
import type { AppendItem, AppendResult, ArrivingOctets, Delivery, FoundMailbox, Located, MailEvents, MailPolicy, MailStore, MailUser, TakenMessage, UidSet } from '../../api/index.js'
import { OctetsOnTheWay } from '../cache/facts-on-the-way.js'
import { asMailFailure, throwIfCancelled } from '../failures.js'
import type { SourceRegistry } from '../registry/registry.js'
import type { ArrivalHearer, SharedMailbox } from '../registry/shared-mailbox.js'
import { flagsOnArrival, mustHave } from './rights.js'

/** What a delivery needs of the login. */
export interface Delivering {
  readonly user: MailUser
  readonly policies: readonly MailPolicy[]
  readonly registry: SourceRegistry
  readonly events: MailEvents
  readonly arrivals: ArrivalHearer
  /** It has had a mailbox open, as mail clients have; a program that delivers has not. */
  readonly reads: boolean
  store(to: Located): Promise<MailStore>
  /** What was found when the name was resolved, given once. */
  probed(to: Located): FoundMailbox | undefined
  /** The mailbox, open, to be released; its rows need not be true. */
  hold(to: Located, found: FoundMailbox, signal: AbortSignal): Promise<SharedMailbox>
  /** The login hears what operations of the mailbox wait for, until disposed. */
  listening(mailbox: SharedMailbox): Disposable
}

/** Messages of a mailbox that are to arrive in another. */
export interface StoredMessages {
  readonly mailbox: SharedMailbox
  /** Of their numbers. */
  readonly epoch: number
  readonly set: UidSet
  /** With the flags that they may arrive with. */
  readonly messages: readonly TakenMessage[]
}

/** One reservation of all policies; settled with what really arrived, or given back. */
async function reserve(d: Delivering, to: Located, octets: number | undefined, signal: AbortSignal): Promise<(octets: number, messages: number) => void> {
  const made: { settle(octets: number, messages: number): void }[] = []
  try {
    for (const policy of d.policies) if (policy.reserve !== undefined) made.push(await policy.reserve(to.at, d.user, octets, 1, signal))
  } catch (error) {
    for (const m of made) m.settle(0, 0)
    throw error
  }
  return (octetsThere, messages) => {
    for (const m of made) m.settle(octetsThere, messages)
  }
}
/** The same octets, counted on their way. */
function counted(bytes: ArrivingOctets, count: (octets: number) => void): ArrivingOctets {
  return {
    willBe: (octets) => bytes.willBe?.(octets),
    atOnce() {
      const all = bytes.atOnce?.()
      if (all !== undefined) count(all.length)
      return all
    },
    async *[Symbol.asyncIterator]() {
      for await (const chunk of bytes) {
        count(chunk.length)
        yield chunk
      }
    },
  }
}

/**
 * Delivers all messages or none. Octets are taken without a lock, as slowly as they come; the commit is one operation in the turn of the
 * target when this process has it open. Undefined where the target's uids do not persist. `stored`: the same messages, where they lie; a target
 * that can take them from there is not given the items.
 */
export async function deliver(d: Delivering, to: Located, items: AsyncIterable<AppendItem>, signal: AbortSignal, stored?: StoredMessages): Promise<AppendResult | undefined> {
  mustHave(to.rights, 'i', 'adding messages')
  const store = await d.store(to)
  const settles: ((there: boolean) => void)[] = []
  const weighed = d.policies.some((policy) => policy.reserve !== undefined)
  const octetsOnTheWay = new OctetsOnTheWay()
  let count = 0
  let delivery: Delivery | undefined
  try {
    const found = d.probed(to)
    delivery = await store.append(to.at, signal, found)
    if (stored !== undefined && (await takes(delivery, stored, signal))) {
      throwIfCancelled(signal)
      try {
        return await commit(d, to, delivery, found ?? (await store.find(to.at, signal)), signal, { stored })
      } catch (error) {
        // Somebody moved them meanwhile: where they are now, the items find out.
        if (!(error instanceof MailError) || error.kind !== 'vanished') throw error
        delivery = await store.append(to.at, signal)
      }
    }
    for await (const item of items) {
      d.arrivals.arriving()
      count++
      const arriving = octetsOnTheWay.heard({ ...item, ...flagsOnArrival(to.rights, item.system, item.keywords) })
      if (!weighed) {
        await delivery.add(arriving, signal)
        continue
      }
      const settle = await reserve(d, to, item.size, signal)
      let octets = 0
      settles.push((there) => settle(there ? octets : 0, there ? 1 : 0))
      await delivery.add({ ...arriving, bytes: counted(arriving.bytes, (n) => void (octets += n)) }, signal)
    }
    if (count === 0) throw new MailError('unsupported', 'no message to deliver')
    throwIfCancelled(signal)
    const result = await commit(d, to, delivery, found ?? (await store.find(to.at, signal)), signal, { octets: octetsOnTheWay.list })
    for (const settle of settles) settle(true)
    return result
  } catch (error) {
    for (const settle of settles) settle(false)
    await delivery?.abort().catch(() => undefined)
    throw asMailFailure(error)
  }
}
/** Where the octets of a delivery are found: as they came, or in another mailbox. */
interface Origin {
  readonly octets?: readonly (Uint8Array | undefined)[]
  readonly stored?: StoredMessages
}
async function takes(delivery: Delivery, { mailbox, epoch, messages }: StoredMessages, signal: AbortSignal): Promise<boolean> {
  if (delivery.take === undefined) return false
  mailbox.mustMean(epoch)
  const taken = await delivery.take(mailbox.source, messages, mailbox.table.generation, signal)
  mailbox.mustMean(epoch)
  return taken
}
/**
 * Through the open mailbox, which stays open for a while: the next delivery then costs what it adds, not a look at all that is there.
 * A place that becomes a mailbox with its first message has none to open.
 */
async function commit(d: Delivering, to: Located, delivery: Delivery, found: FoundMailbox | undefined, signal: AbortSignal, of: Origin): Promise<AppendResult | undefined> {
  const open = found === undefined ? undefined : found.empty ? await d.registry.borrow(found.key) : await d.hold(to, found, signal)
  if (open === undefined) return commitUnseen(d, to, delivery, signal)
  try {
    if (open.gone !== undefined) return await commitUnseen(d, to, delivery, signal)
    using _heard = d.listening(open)
    // What was there before is no news; what arrives now is.
    if (!open.loaded) await open.refresh(signal)
    open.makeRoom()
    using _saving = d.arrivals.saving()
    const { value } = await open.edit((edit) => delivery.commit({ source: open.source, edit }, signal), signal)
    if (value !== undefined) {
      if (of.octets !== undefined) d.arrivals.saved(open, of.octets, value, d.reads ? 'client' : 'others')
      if (of.stored !== undefined) d.arrivals.copied(of.stored.mailbox, of.stored.set, open, value.uids)
    }
    // The delivery may have left the rows to the next look.
    open.touched()
    return value
  } finally {
    d.registry.release(open)
  }
}
/** Into a mailbox that nobody of this process looks at: no table tells the news. */
async function commitUnseen(d: Delivering, to: Located, delivery: Delivery, signal: AbortSignal): Promise<AppendResult | undefined> {
  const result = await delivery.commit(undefined, signal)
  if (result !== undefined) d.events.emit({ at: to.at, kind: 'arrived', uids: result.uids })
  return result
}
