import { crc32 } from 'node:zlib'
import { MailError, SYSTEM, UNKNOWN } from '../../api/index.js'
import type { AppendItem, Located, MailAccess, MailboxView, RowSet } from '../../api/index.js'
import { octetsOf } from '../../mail/access/copying.js'
import { allUids, locate } from './views.js'

/** What became of the messages of a mailbox in another. */
export interface Copied {
  readonly messages: number
  /** What the target could not keep, in words; empty when it kept all. */
  readonly lost: readonly string[]
}
/** Where messages go, and the name by which it is opened. */
export interface CopyTarget {
  readonly at: Located
  readonly name: string
}
/** How messages are to be copied. */
export interface CopyHow {
  /** Messages come with the numbers that they have. */
  readonly keepUids: boolean
  readonly step: () => void
}

/**
 * Copies all messages with flags, keywords and dates, all or none; then compares what arrived with what was there.
 * @throws MailError; the target is as it was.
 */
export async function copyAll(mail: MailAccess, from: MailboxView, to: CopyTarget, how: CopyHow, signal: AbortSignal): Promise<Copied> {
  const total = from.announced
  if (total === 0) return { messages: 0, lost: [] }
  const all = from.resolve({ pairs: Uint32Array.of(1, total) }, 'seq')
  await from.fill(all, signal)
  let sent = 0
  const sums: number[] = []
  const items = (async function* (): AsyncGenerator<AppendItem> {
    for await (const batch of from.read(all, { bytes: 'whole', sections: [], facts: [] }, signal)) {
      for (const message of batch) {
        const { rows } = from
        const row = rows.find(message.uid)
        if (row === -1) continue
        const flags = rows.flagSets[rows.flags[row] ?? 0]
        const ms = rows.date[row] ?? UNKNOWN
        yield {
          size: message.bytes.size,
          bytes: summed(octetsOf(message.bytes, signal), sums),
          binary: false,
          system: flags?.system ?? 0,
          keywords: flags?.keywords ?? [],
          ...(ms === UNKNOWN ? {} : { date: { ms, zone: rows.zone[row] ?? 0 } }),
          ...(how.keepUids ? { uid: message.uid } : {}),
          facts: new Map(),
        }
        sent++
        how.step()
      }
    }
    if (sent !== total) throw new MailError('vanished', `only ${sent} of ${total} messages could be read; nothing was copied`)
  })()
  await mail.append(to.at, items, signal)
  return { messages: total, lost: await compare(mail, from, to.name, sums, signal) }
}

/** The last messages of the target beside those of the source. */
async function compare(mail: MailAccess, from: MailboxView, to: string, sums: readonly number[], signal: AbortSignal): Promise<readonly string[]> {
  const target = await mail.open(await locate(mail, to, 'examine', signal), 'read-only', signal)
  try {
    const count = from.announced
    const before = target.announced - count
    if (before < 0) throw new MailError('corrupt', `${to} has ${target.announced} messages after ${count} were copied`)
    const arrived = target.resolve({ pairs: Uint32Array.of(before + 1, target.announced) }, 'seq')
    await target.fill(arrived, signal)
    const others = await othersThan(sums, target, arrived, signal)
    const words = new Set<string>()
    let [flags, dates, zones, uids] = [0, 0, 0, 0]
    for (let i = 0; i < count; i++) {
      const [was, is] = [flagsAt(from, i), flagsAt(target, before + i)]
      if (was.system !== is.system) flags++
      const there = new Set(is.keywords.map((word) => word.toLowerCase()))
      for (const word of was.keywords) if (!there.has(word.toLowerCase())) words.add(word)
      // Whole seconds are what formats keep.
      if (Math.floor((from.rows.date[i] ?? 0) / 1000) !== Math.floor((target.rows.date[before + i] ?? 0) / 1000)) dates++
      else if (from.rows.zone[i] !== target.rows.zone[before + i]) zones++
      if (from.rows.uid[i] !== target.rows.uid[before + i]) uids++
    }
    const lost: string[] = []
    if (uids > 0 || from.uidValidity !== target.uidValidity || target.uidNext < from.uidNext) lost.push('unique ids: the messages have new ones, so clients load them again')
    if (words.size > 0) lost.push(`keywords: ${[...words].toSorted().join(' ')}`)
    if (flags > 0) lost.push(`flags of ${flags} messages`)
    if (dates > 0) lost.push(`dates of ${dates} messages`)
    if (zones > 0) lost.push(`time zones of the dates of ${zones} messages`)
    if (others > 0) lost.push(`octets of ${others} messages as they were: this format writes some otherwise`)
    return lost
  } finally {
    await target.close(signal)
  }
}
/** The octets, and at their end one more sum. */
async function* summed(octets: AsyncIterable<Uint8Array>, sums: number[]): AsyncGenerator<Uint8Array> {
  let sum = 0
  try {
    for await (const piece of octets) {
      sum = crc32(piece, sum)
      yield piece
    }
  } finally {
    sums.push(sum)
  }
}
/** How many messages have other octets than those that were summed, in their order. */
async function othersThan(sums: readonly number[], target: MailboxView, arrived: RowSet, signal: AbortSignal): Promise<number> {
  let [read, same] = [0, 0]
  for await (const batch of target.read(arrived, { bytes: 'whole', sections: [], facts: [] }, signal)) {
    for (const { bytes } of batch) {
      let sum = 0
      for await (const piece of octetsOf(bytes, signal)) sum = crc32(piece, sum)
      if (sum === sums[read++]) same++
    }
  }
  return sums.length - same
}
function flagsAt({ rows }: MailboxView, row: number): { readonly system: number; readonly keywords: readonly string[] } {
  const set = rows.flagSets[rows.flags[row] ?? 0]
  return { system: (set?.system ?? 0) & (SYSTEM.seen | SYSTEM.deleted | SYSTEM.flagged | SYSTEM.answered | SYSTEM.draft), keywords: set?.keywords ?? [] }
}

/** Removes the messages that a view sees, and no others. */
export async function removeAll(view: MailboxView, signal: AbortSignal): Promise<number> {
  return (await view.remove(allUids(view), signal)).count
}
