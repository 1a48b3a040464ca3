import { MailError, UNKNOWN } from '../../api/index.js'
import type { AppendItem, CopyResult, Located, MessageBytes, Rights, TakenMessage, UidSet } from '../../api/index.js'
import type { SharedMailbox } from '../registry/shared-mailbox.js'
import type { TableView } from '../view/view.js'
import { deliver, type Delivering } from './delivering.js'
import { flagsOnArrival, mustHave } from './rights.js'

const PIECE = 64 * 1024

/** What is copied or moved, and where to. */
export interface Copying {
  readonly d: Delivering
  readonly from: TableView
  readonly set: UidSet
  readonly to: Located
  readonly how: 'copy' | 'move'
  /** Both mailboxes are in one store, which may copy by itself. */
  readonly sameStore: boolean
  readonly signal: AbortSignal
}

/** Octets of a stored message in pieces. */
export async function* octetsOf(bytes: MessageBytes, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (bytes.inline !== undefined) {
    yield bytes.inline
    return
  }
  for (let at = 0; at < bytes.size; ) {
    // A piece is the consumer's, so each has memory of its own.
    const into = new Uint8Array(Math.min(PIECE, bytes.size - at))
    const n = await bytes.read(at, into, signal)
    if (n === 0) throw new MailError('vanished', 'the message ended before its size')
    yield n === into.length ? into : into.subarray(0, n)
    at += n
  }
}
/** The messages as they are delivered elsewhere: flags by name, internal date; \Recent is not copied. Counts what was found. */
async function* asItems(from: TableView, epoch: number, set: UidSet, found: number[], signal: AbortSignal): AsyncGenerator<AppendItem> {
  for await (const batch of from.readUids(set, { bytes: 'whole', sections: [], facts: [] }, signal)) {
    for (const message of batch) {
      from.mailbox.mustMean(epoch)
      const rows = from.mailbox.table.generation
      let row = rows.find(message.uid)
      const seen = row === -1 ? from.generation : rows
      if (row === -1) row = seen.find(message.uid)
      if (row === -1) throw new MailError('vanished', `message ${message.uid} is gone`)
      const flags = seen.flagSets[seen.flags[row]!]!
      const ms = seen.date[row]!
      found.push(message.uid)
      yield {
        size: message.bytes.size,
        bytes: octetsOf(message.bytes, signal),
        binary: false,
        system: flags.system,
        keywords: flags.keywords,
        ...(ms === UNKNOWN ? {} : { date: { ms, zone: seen.zone[row]! } }),
        facts: new Map(),
      }
    }
  }
}

/**
 * COPY and MOVE: by the source where it can, otherwise message by message through a delivery. All messages or none
 * (RFC 3501 §6.4.7): when one of them is gone, nothing is copied. MOVE removes only after the copy is durable (RFC 6851 §3.3), and takes none that
 * another session has moved or removed already, though a session that has not heard of it can still copy it.
 */
export async function copyMessages(what: Copying): Promise<CopyResult | undefined> {
  const { from: { mailbox }, set, to, how, signal } = what
  mustHave(to.rights, 'i', 'adding messages')
  if (how === 'copy') return copyNow(what)
  // Two sessions with the same rule for new mail would each copy it before one of them removed it.
  return mailbox.moves.run(async () => {
    if (!holdsAll(mailbox, set)) throw new MailError('vanished', 'some of the messages are gone')
    await mailbox.mayExpunge(signal)
    return copyNow(what)
  }, signal)
}
async function copyNow({ d, from, set, to, how, sameStore, signal }: Copying): Promise<CopyResult | undefined> {
  const { mailbox } = from
  const { source } = mailbox
  const { epoch } = from
  const reserves = d.policies.some((p) => p.reserve !== undefined)
  if (set.count === 0) return undefined
  await settled(d, mailbox, set, signal)
  if (source.copy !== undefined && sameStore && !reserves) {
    const copy = source.copy.bind(source)
    const { value } = await mailbox.edit((edit) => copy(set, to.at, how, edit, signal), signal, { byNumber: epoch })
    await lookAtTarget(d, to, signal)
    if (value !== undefined) return value
  }
  // Whoever takes messages as they lie must be told their dates.
  await from.fill(from.resolve({ pairs: set.ranges }, 'uid'), signal)
  const found: number[] = []
  const wanted = set.count
  const items = (async function* (): AsyncGenerator<AppendItem> {
    yield* asItems(from, epoch, set, found, signal)
    if (found.length !== wanted) throw new MailError('vanished', 'some of the messages are gone')
  })()
  mailbox.mustMean(epoch)
  const messages = reserves ? undefined : takenMessages(from, set, to.rights)
  const arrived = await deliver(d, to, items, signal, messages && { mailbox, epoch, set, messages })
  if (how === 'move') await mailbox.expunge(set, true, mailbox.signal, epoch)
  if (arrived === undefined) return undefined
  return { uidValidity: arrived.uidValidity, from: set, to: arrived.uids }
}
/** Costs what the set has, not what the mailbox has. */
function holdsAll({ table }: SharedMailbox, { ranges }: UidSet): boolean {
  for (let i = 0; i < ranges.length; i += 2) {
    for (let uid = ranges[i]!; uid <= ranges[i + 1]!; uid++) if (table.generation.find(uid) === -1) return false
  }
  return true
}
/** As `SharedMailbox.settle`; the client hears what it waits for. */
async function settled(d: Delivering, mailbox: SharedMailbox, set: UidSet, signal: AbortSignal): Promise<void> {
  using _heard = d.listening(mailbox)
  await mailbox.settle(set, signal)
}
/** The messages as they are to arrive; undefined when one of them is gone, or its date is yet to be found. */
function takenMessages({ mailbox }: TableView, set: UidSet, rights: Rights): readonly TakenMessage[] | undefined {
  const rows = mailbox.table.generation
  // Once for each combination of flags, of which a mailbox has few.
  const flags = rows.flagSets.map(({ system, keywords }) => flagsOnArrival(rights, system, keywords))
  const out: TakenMessage[] = []
  for (let i = 0; i < set.ranges.length; i += 2) {
    for (let uid = set.ranges[i]!; uid <= set.ranges[i + 1]!; uid++) {
      const row = rows.find(uid)
      if (row === -1 || rows.date[row] === UNKNOWN) return undefined
      const { system, keywords } = flags[rows.flags[row]!]!
      out.push({ uid, system, keywords, date: { ms: rows.date[row]!, zone: rows.zone[row]! } })
    }
  }
  return out
}
/** A mailbox that this process has open learns of what the source put there. */
async function lookAtTarget(d: Delivering, to: Located, signal: AbortSignal): Promise<void> {
  const found = await (await d.store(to)).find(to.at, signal)
  const open = found === undefined ? undefined : await d.registry.borrow(found.key)
  if (open === undefined) return
  open.touched()
  d.registry.release(open)
}
