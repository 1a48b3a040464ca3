import { uids, type AppendItem, type AppendResult, type Delivery, type FilePlace, type OpenMailbox } from 'mailwright/api'
import { Gathered, type Waiting } from '../shared/gathered.js'
import { headerEnd } from 'mailwright/toolkit'
import { giveNumbers, lastGiven } from '../shared/given-numbers.js'
import { KeywordBits } from '../shared/keyword-bits.js'
import { localZone } from '../shared/zone.js'
import type { MixContext } from './context.js'
import type { DataWriter } from './data-writer.js'
import { MixFolder, type Held } from './folder.js'
import { DATA_OCTETS, dataRecord, INDEX_OCTETS, indexText, OLD, parseIndex, parseStatus, SEQUENCE_OCTETS, STATUS_OCTETS, statusText, SYSTEM_BITS } from './records.js'
import { MixSource, type Entered } from './source.js'

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

/** Appends messages: octets are gathered without locks, written in one locked section, all or none. */
export class MixDelivery implements Delivery {
  readonly #place: FilePlace
  readonly #ctx: MixContext
  readonly #gathered: Gathered

  constructor(place: FilePlace, ctx: MixContext) {
    this.#place = place
    this.#ctx = ctx
    this.#gathered = new Gathered(ctx.spool)
  }
  add(item: AppendItem, signal: AbortSignal): Promise<void> {
    return this.#gathered.add(item, signal)
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
      return await folder.locked('exclusive', signal, async (found) => {
        if (source === undefined || edit === undefined) {
          const ends = await endsOf(folder, found)
          const { result } = await this.#append(folder, found, ends, new KeywordBits(found.meta.keywords), false, signal)
          return result
        }
        const held = await source.catchUp(found, edit)
        const highest = edit.rows.uid[edit.rows.length - 1] ?? 0
        const last = Math.max(held.meta.last, highest)
        const done = await this.#append(folder, held, { last, highest, index: source.indexEnd, status: source.statusEnd }, source.keywords, source.claiming, signal)
        source.entered(edit, done.entered, done.held)
        return done.result
      })
    } finally {
      await this.abort()
      if (source === undefined) await folder.close()
    }
  }

  async #append(folder: MixFolder, held: Held, ends: Ends, keywords: KeywordBits, claimed: boolean, signal: AbortSignal): Promise<{ result: AppendResult; entered: readonly Entered[]; held: Held }> {
    const sequence = folder.nextSequence(held)
    keywords.define(this.#gathered.list.flatMap(({ item }) => item.keywords))
    const octets = this.#gathered.list.reduce((sum, { spooled }) => sum + spooled.size + DATA_OCTETS, 0)
    const numbers = giveNumbers(this.#gathered.list.map(({ item }) => item), ends)
    const writer = await folder.data.writer(held.meta.file, sequence, octets, signal)
    try {
      const entered: Entered[] = []
      for (const waiting of this.#gathered.list) entered.push(await this.#put(writer, waiting, numbers[entered.length] ?? 0, ends, entered.length, keywords, claimed, signal))
      await writer.flush()
      const index = entered.map((m) => `${indexText({ ...m, ...m.place })}\r\n`).join('')
      const status = entered.map((m) => statusText(m.uid, keywords.mask(m.keywords), (m.system & SYSTEM_BITS) | (m.old ? OLD : 0), sequence)).join('')
      const done = await folder.commit(held, sequence, {
        meta: { ...held.meta, last: lastGiven(ends.last, numbers), file: writer.file, keywords: [...keywords.names] },
        index: { patches: [{ at: ends.index, bytes: Buffer.from(index) }], size: ends.index + index.length },
        status: { patches: [{ at: ends.status, bytes: Buffer.from(status) }], size: ends.status + status.length },
        data: writer,
      })
      return { result: { uidValidity: held.meta.validity, uids: uids.from(entered.map(({ uid }) => uid)) }, entered, held: done }
    } catch (error) {
      if (!folder.owes) await writer.undo().catch(() => undefined)
      throw error
    } finally {
      await writer.close()
    }
  }
  async #put(writer: DataWriter, { item, spooled }: Waiting, uid: number, ends: Ends, count: number, keywords: KeywordBits, claimed: boolean, signal: AbortSignal): Promise<Entered> {
    const now = this.#ctx.clock.now()
    const date = item.date ?? { ms: now, zone: localZone(now) }
    // Dates are kept to the second.
    const [ms, zone] = [Math.floor(date.ms / 1000) * 1000, date.zone]
    const at = writer.at
    await writer.add(dataRecord(uid, ms, zone, spooled.size))
    const head = new HeaderSize()
    for await (const chunk of spooled.chunks()) {
      signal.throwIfAborted()
      head.add(chunk)
      await writer.add(chunk)
    }
    return {
      uid, ms, zone, size: spooled.size, system: item.system & SYSTEM_BITS, keywords: keywords.list(keywords.mask(item.keywords)), old: claimed,
      place: { file: writer.file, at, internal: DATA_OCTETS, header: head.size ?? spooled.size },
      line: ends.index + count * INDEX_OCTETS, status: ends.status + count * STATUS_OCTETS,
    }
  }
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
