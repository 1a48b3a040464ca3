import { uids, type AppendItem, type AppendResult, type Delivery, type FilePlace, type MailboxSource, type OpenMailbox, type Rows, type Spooled, type TakenMessage } from 'mailwright/api'
import { Gathered } from '../shared/gathered.js'
import { headerEnd } from 'mailwright/toolkit'
import { giveNumbers, lastGiven } from '../shared/given-numbers.js'
import { KeywordBits } from '../shared/keyword-bits.js'
import { waitsOf } from '../shared/locks/wait-lines.js'
import { localZone } from '../shared/zone.js'
import type { MixContext } from './context.js'
import type { DataWriter } from './data-writer.js'
import { MixFolder, type Held } from './folder.js'
import { putIndexLine, putStatusLine } from './put-records.js'
import { DATA_OCTETS, INDEX_OCTETS, OLD, parseIndex, parseStatus, SEQUENCE_OCTETS, STATUS_OCTETS, SYSTEM_BITS, type DataRecord } from './records.js'
import { MixSource, type Entered } from './source.js'
import { layDown, lyingOf, Rooms, type Lying } from './taking.js'

/** Where new lines go, and what numbers are taken. */
interface Ends {
  /** The highest that was given, and the highest that a message has. */
  readonly last: number
  readonly highest: number
  readonly index: number
  readonly status: number
}
/** A header is looked for in so many octets; one that is longer counts as the whole message. */
const LONGEST_HEADER = 1 << 20
const NO_WISH = {}
const NO_RECORD: DataRecord = { uid: 0, ms: 0, zone: 0, size: 0 }
const UNLAID: Laid = { at: 0, header: 0 }

/** Rows that hear of the messages. */
interface OpenTable {
  /** As `MixSource.claiming`. */
  readonly claimed: boolean
  enter(messages: readonly Entered[]): void
}
/** What is to be known of a message before its octets are there. */
type Arriving = Pick<AppendItem, 'system' | 'keywords' | 'date' | 'uid'>
/** Where a message was put. */
interface Laid {
  readonly at: number
  readonly header: number
}
/** Messages of another mailbox of the format, where they lie. */
interface Taken {
  readonly from: MixSource
  readonly items: readonly Arriving[]
  readonly lying: readonly Lying[]
}

/**
 * Appends messages, all or none, in one locked section: octets that arrive are gathered before, without locks; those of another mailbox of the format
 * are read where they lie.
 */
export class MixDelivery implements Delivery {
  readonly #place: FilePlace
  readonly #ctx: MixContext
  readonly #gathered: Gathered
  #taken: Taken | undefined

  constructor(place: FilePlace, ctx: MixContext) {
    this.#place = place
    this.#ctx = ctx
    this.#gathered = new Gathered(ctx.spool, 'as-is')
  }
  add(item: AppendItem, signal: AbortSignal): Promise<void> {
    return this.#gathered.add(item, signal)
  }
  take(from: MailboxSource, messages: readonly TakenMessage[], rows: Rows, _signal: AbortSignal): Promise<boolean> {
    if (!(from instanceof MixSource)) return Promise.resolve(false)
    const lying = lyingOf(messages, rows)
    if (lying === undefined) return Promise.resolve(false)
    this.#taken = { from, lying, items: messages }
    return Promise.resolve(true)
  }
  abort(): Promise<void> {
    return this.#gathered.drop()
  }

  async commit(open: OpenMailbox | undefined, signal: AbortSignal): Promise<AppendResult> {
    // A layer may stand in front of the source; the next look at the mailbox then finds the rows.
    const source = open?.source instanceof MixSource && open.source.folder.path === this.#place.path ? open.source : undefined
    const edit = open?.edit
    const folder = source?.folder ?? new MixFolder(this.#place, this.#ctx)
    try {
      return await folder.locked('exclusive', signal, waitsOf(edit), async (found) => {
        if (source === undefined || edit === undefined) {
          const ends = await endsOf(folder, found)
          const { result } = await this.#append(folder, found, ends, new KeywordBits(found.meta.keywords), signal)
          return result
        }
        const held = await source.catchUp(found, edit)
        const highest = edit.rows.uid[edit.rows.length - 1] ?? 0
        const last = Math.max(held.meta.last, highest)
        const ends = { last, highest, index: source.indexEnd, status: source.statusEnd }
        const table = { claimed: source.claiming, enter: (messages: readonly Entered[]) => source.enter(edit, messages) }
        const done = await this.#append(folder, held, ends, source.keywords, signal, table)
        source.entered(edit, done.entered, done.held)
        return done.result
      })
    } finally {
      await this.abort()
      if (source === undefined) await folder.close()
    }
  }

  async #append(folder: MixFolder, held: Held, ends: Ends, keywords: KeywordBits, signal: AbortSignal, table?: OpenTable): Promise<{ result: AppendResult; entered: readonly Entered[]; held: Held }> {
    const claimed = table?.claimed === true
    const sequence = folder.nextSequence(held)
    const items: readonly Arriving[] = this.#taken?.items ?? this.#gathered.list.map(({ item }) => item)
    const sizes = this.#taken?.lying.map(({ size }) => size) ?? this.#gathered.list.map(({ spooled }) => spooled.size)
    for (const item of items) if (item.keywords.length > 0) keywords.define(item.keywords)
    // Numbers are those of the other mailbox; here the messages get their own.
    const numbers = giveNumbers(this.#taken === undefined ? items : items.map(() => NO_WISH), ends)
    const now = this.#ctx.clock.now()
    const messages = items.map((item, i) => new Arrived(numbers[i] ?? 0, sizes[i] ?? 0, item, now))
    const octets = sizes.reduce((sum, size) => sum + size + DATA_OCTETS, 0)
    const writer = await folder.data.writer(held.meta.file, sequence, octets, signal)
    const rooms = new Rooms()
    const preparing = folder.prepareCommit()
    try {
      const laid = this.#taken === undefined ? await this.#layArrived(writer, messages, signal) : await layTaken(this.#taken, writer, rooms, messages, signal)
      // Lines are made while the last octets are written.
      await writer.begin()
      const index = Buffer.allocUnsafe(messages.length * INDEX_OCTETS)
      const status = Buffer.allocUnsafe(messages.length * STATUS_OCTETS)
      const entered = messages.map((m, i): Entered => {
        const { uid, size, ms, zone, system } = m
        const mask = keywords.mask(m.keywords)
        const [line, flags] = [i * INDEX_OCTETS, i * STATUS_OCTETS]
        const { at, header } = laid[i] ?? UNLAID
        putIndexLine(index, line, { uid, size, ms, zone, file: writer.file, at, internal: DATA_OCTETS, header })
        putStatusLine(status, flags, { uid, keywords: mask, flags: system | (claimed ? OLD : 0), modseq: sequence })
        const place = { file: writer.file, at, internal: DATA_OCTETS, header }
        return { uid, size, ms, zone, system, keywords: keywords.list(mask), old: claimed, place, line: ends.index + line, status: ends.status + flags }
      })
      const done = await folder.commit(held, sequence, {
        meta: { ...held.meta, last: lastGiven(ends.last, numbers), file: writer.file, keywords: [...keywords.names] },
        index: { patches: [{ at: ends.index, bytes: index }], size: ends.index + index.length },
        status: { patches: [{ at: ends.status, bytes: status }], size: ends.status + status.length },
        data: writer,
      }, () => table?.enter(entered))
      // After a failure something may still be under way.
      rooms.giveBack()
      return { result: { uidValidity: held.meta.validity, uids: uids.from(numbers) }, entered, held: done }
    } catch (error) {
      await preparing
      if (!folder.owes) await writer.undo().catch(() => undefined)
      throw error
    }
  }
  async #layArrived(writer: DataWriter, records: readonly DataRecord[], signal: AbortSignal): Promise<readonly Laid[]> {
    const laid: Laid[] = []
    for (const [i, { spooled }] of this.#gathered.list.entries()) {
      const { at } = writer
      const { whole } = spooled
      const full = writer.record(records[i] ?? NO_RECORD)
      if (full !== undefined) await full
      const written = whole && writer.add(whole)
      if (written !== undefined) await written
      laid.push({ at, header: whole === undefined ? await layPieces(spooled, writer, signal) : headerEnd(whole) })
    }
    return laid
  }
}
/** What is written of a message, as it is to be. */
class Arrived implements DataRecord {
  readonly uid: number
  readonly size: number
  readonly ms: number
  readonly zone: number
  readonly system: number
  readonly keywords: readonly string[]
  constructor(uid: number, size: number, { system, keywords, date }: Arriving, now: number) {
    this.uid = uid
    this.size = size
    // Dates are kept to the second.
    this.ms = Math.floor((date?.ms ?? now) / 1000) * 1000
    this.zone = date?.zone ?? localZone(now)
    this.system = system & SYSTEM_BITS
    this.keywords = keywords
  }
}
/** Answers the octets of the header. */
async function layPieces(spooled: Spooled, writer: DataWriter, signal: AbortSignal): Promise<number> {
  const head = new HeaderSize()
  for await (const chunk of spooled.chunks()) {
    signal.throwIfAborted()
    head.add(chunk)
    await writer.add(chunk)
  }
  return head.size ?? spooled.size
}
/** While nobody moves what the other mailbox has. */
async function layTaken({ from, lying }: Taken, writer: DataWriter, rooms: Rooms, records: readonly DataRecord[], signal: AbortSignal): Promise<readonly Laid[]> {
  const starts = await from.folder.data.reading(signal, undefined, () => layDown(from.folder, lying, (i) => records[i] ?? NO_RECORD, writer, rooms, signal))
  return starts.map((at, i) => ({ at, header: lying[i]?.place.header ?? 0 }))
}

/** Octets up to the empty line, found while they pass. */
class HeaderSize {
  size: number | undefined
  #seen: Buffer[] = []
  #octets = 0
  add(chunk: Uint8Array): void {
    if (this.size !== undefined || this.#octets > LONGEST_HEADER) return
    this.#seen.push(Buffer.from(chunk))
    this.#octets += chunk.length
    const all = this.#seen.length === 1 ? chunk : Buffer.concat(this.#seen)
    const end = headerEnd(all)
    if (end < all.length || endsWithEmptyLine(all)) this.size = end
    if (this.size !== undefined) this.#seen = []
  }
}
function endsWithEmptyLine(bytes: Uint8Array): boolean {
  const [a, b, c] = [bytes[bytes.length - 1], bytes[bytes.length - 2], bytes[bytes.length - 3]]
  return a === 10 && (b === undefined || b === 10 || (b === 13 && (c === undefined || c === 10)))
}

/** Ends of a mailbox that nobody has open here, from its last lines. */
async function endsOf(folder: MixFolder, { meta, index, status }: Held): Promise<Ends> {
  const from = Math.max(0, index.size - 2048)
  const lines = await folder.part('index', from, index.size - from)
  const cut = from === 0 ? 0 : lines.indexOf(10) + 1 - SEQUENCE_OCTETS
  const table = parseIndex(lines.subarray(Math.max(0, cut)))
  const start = Math.max(0, status.size - 2048)
  const flags = await folder.part('status', start, status.size - start)
  const skip = start === 0 ? 0 : flags.indexOf(10) + 1 - SEQUENCE_OCTETS
  const ended = parseStatus(flags.subarray(Math.max(0, skip))).end + start + Math.max(0, skip)
  return {
    last: Math.max(meta.last, table.uid[table.count - 1] ?? 0),
    highest: table.uid[table.count - 1] ?? 0,
    index: Math.max(SEQUENCE_OCTETS, from + Math.max(0, cut) + table.end),
    status: Math.max(SEQUENCE_OCTETS, ended),
  }
}
