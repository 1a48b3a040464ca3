import { MailError, failedWith, uids, type AppendItem, type AppendResult, type Delivery, type FilePlace, type OpenMailbox, type Spooled, type TableEdit } from 'mailwright/api'
import { Gathered, type Waiting } from '../gathered.js'
import { folderOf, reasonOf, type Say } from '../lock-context.js'
import { localZone, writeInternalDate } from '../internal-date.js'
import { giveNumbers, lastGiven } from '../given-numbers.js'
import type { ContentWriter } from '../content-writer.js'
import { outOfRoom } from '../safe-changes.js'
import { mustBeWhole, owes, readContents, settle, settling, type Contents } from './contents.js'
import { Addition } from './addition.js'
import type { FixedContext } from './context.js'
import { BIT, type Dialect } from './dialect.js'
import { FixedFile, type Held } from './fixed-file.js'
import { FORM } from './layout.js'
import { Measure } from './measure.js'
import { freshToken } from './patch.js'
import type { Entered } from './rows.js'
import { FixedSource } from './source.js'
import { cameAt, mailCame } from './times.js'

const CR = 13

/** Appends messages to a mailbox file: octets are gathered without locks, written in one locked section, all or none. */
export class FixedDelivery implements Delivery {
  readonly #place: FilePlace
  readonly #dialect: Dialect
  readonly #ctx: FixedContext
  readonly #gathered: Gathered

  constructor(place: FilePlace, dialect: Dialect, ctx: FixedContext) {
    this.#place = place
    this.#dialect = dialect
    this.#ctx = ctx
    this.#gathered = new Gathered(ctx.spool)
  }

  add(item: AppendItem, signal: AbortSignal): Promise<void> {
    return this.#gathered.add(item, signal)
  }
  abort(): Promise<void> {
    return this.#gathered.drop()
  }

  async commit(open: OpenMailbox | undefined, signal: AbortSignal): Promise<AppendResult | undefined> {
    // A layer may stand in front of the source; the next look at the file then finds the rows.
    const source = open?.source instanceof FixedSource && open.source.path === this.#place.path ? open.source : undefined
    const edit = source === undefined ? undefined : open?.edit
    const say: Say = source === undefined || edit === undefined ? () => undefined : source.say(edit)
    const file = source?.file ?? new FixedFile(this.#place, true, this.#ctx)
    const work = async (held: Held): Promise<{ result: AppendResult | undefined }> => ({
      result: source === undefined || edit === undefined ? await this.#intoClosed(file, held, signal) : await this.#intoOpen(file, held, source, edit, signal),
    })
    try {
      const known = source === undefined || edit === undefined ? undefined : await this.#intoKnown(source, edit, signal)
      if (known !== undefined) return known.result
      let done = await file.locked(signal, say, work)
      if (done === undefined) {
        await this.#makeFile()
        done = await file.locked(signal, say, work)
      }
      if (done === undefined) throw new MailError('not-found', `${this.#place.path} is gone`)
      return done.result
    } catch (error) {
      throw outOfRoom(error)
    } finally {
      if (source === undefined) await file.close()
      await this.abort()
    }
  }
  /** A missing file is the empty INBOX: it comes into being with its first message. */
  async #makeFile(): Promise<void> {
    const { files } = this.#ctx
    try {
      await (await files.open(this.#place.path, { write: true, create: 'if-missing', mode: this.#place.fileMode })).close()
      if (this.#ctx.mailbox.durability === 'full') await files.syncDirectory(folderOf(this.#place.path))
    } catch (error) {
      throw failedWith(error, 'EACCES', 'EPERM') ? new MailError('denied', reasonOf(error), { cause: error }) : error
    }
  }

  /** Into a mailbox of which everything is known, as it mostly is: one go elsewhere. Undefined when that cannot be, or was not so after all. */
  async #intoKnown(source: FixedSource, edit: TableEdit, signal: AbortSignal): Promise<{ readonly result: AppendResult | undefined } | undefined> {
    source.attach(edit)
    const octets = this.#gathered.list.reduce((sum, { spooled }) => sum + spooled.size, 0)
    if (octets > LANE_OCTETS || !source.isKnown || owes(source.contents, false)) return undefined
    const size = source.size
    const addition = new Addition(size)
    const { entered, contents } = await this.#add(addition, source.contents, size, source.claiming, signal)
    const now = this.#ctx.clock.now()
    const done = await source.changeKnown(edit, { kind: 'append', parts: addition.parts, atimeMs: source.claiming ? now : cameAt(now) })
    if (done === undefined) return undefined
    source.entered(edit, entered, contents)
    source.changedKnown(edit, done)
    return { result: this.#result(contents, entered) }
  }
  async #intoOpen(file: FixedFile, held: Held, source: FixedSource, edit: TableEdit, signal: AbortSignal): Promise<AppendResult | undefined> {
    source.attach(edit)
    await source.catchUp(held, edit, signal)
    const numbered = await this.#numbered(file, held, source.contents, source.saver(edit))
    const before = held.stat
    const { entered, contents } = await this.#append(file, held, numbered, source.claiming, signal)
    source.entered(edit, entered, contents)
    await source.delivered(edit, held, before)
    return this.#result(contents, entered)
  }
  async #intoClosed(file: FixedFile, held: Held, signal: AbortSignal): Promise<AppendResult | undefined> {
    const before = held.stat
    const found = await readContents(this.#dialect, held, this.#place.path, this.#ctx, undefined, signal)
    const { entered, contents } = await this.#append(file, held, await this.#numbered(file, held, found), false, signal)
    await mailCame(held.file, before, this.#ctx.clock.now())
    return this.#result(contents, entered)
  }
  /** What is there has its numbers before more is added. */
  async #numbered(file: FixedFile, held: Held, contents: Contents, reformed?: (i: number) => void): Promise<Contents> {
    mustBeWhole(contents)
    if (this.#dialect.header === undefined || !owes(contents, false)) return contents
    const settled = await settle(file, held, this.#dialect, settling(this.#dialect, contents, this.#ctx.locks.random, false), reformed)
    held.stat = await held.file.stat()
    return settled
  }
  #result({ header }: Contents, entered: readonly Entered[]): AppendResult | undefined {
    return this.#dialect.header === undefined ? undefined : { uidValidity: header.validity, uids: uids.from(entered.map(({ place }) => place.uid)) }
  }

  async #append(file: FixedFile, held: Held, contents: Contents, claimed: boolean, signal: AbortSignal): Promise<Added> {
    const { size } = held.stat
    return file.changes.change(held, { kind: 'append', size, start: size }, (w) => this.#add(w, contents, size, claimed, signal))
  }
  /** The messages, and what the mailbox's own record says with them. */
  async #add(w: ContentWriter, contents: Contents, size: number, claimed: boolean, signal: AbortSignal): Promise<Added> {
    const kind = this.#dialect.header
    const words = this.#gathered.list.flatMap(({ item }) => item.keywords)
    const keywords = kind === undefined ? contents.keywords : contents.keywords.with(words)
    const { last } = contents.header
    const numbers = giveNumbers(this.#gathered.list.map(({ item }) => item), { highest: kind === undefined ? last : highestOf(contents, kind.length, size), last })
    const header = {
      ...contents.header,
      last: lastGiven(last, numbers),
      keywords: keywords.names,
      token: keywords === contents.keywords ? contents.header.token : freshToken(this.#ctx.locks.random),
    }
    if (kind !== undefined) await writeHeader(w, kind.write(header), contents.filed === undefined ? undefined : kind.write(contents.filed))
    // Room for the header is taken first where there is none.
    if (kind === undefined || contents.filed !== undefined) w.stay(size)
    const entered: Entered[] = []
    for (const waiting of this.#gathered.list) {
      entered.push(await this.#record(w, waiting, numbers[entered.length] ?? 0, { ...contents, keywords }, claimed, signal))
    }
    return { entered, contents: { ...contents, keywords, header, filed: kind === undefined ? undefined : header } }
  }
  async #record(w: ContentWriter, { item, spooled }: Waiting, uid: number, { keywords }: Contents, claimed: boolean, signal: AbortSignal): Promise<Entered> {
    const dialect = this.#dialect
    const stored = dialect.text === 'as-is' ? spooled.size : await withoutCrs(spooled)
    if (stored === 0) throw new MailError('unsupported', 'Append of zero-length message')
    const mask = keywords.mask(item.keywords)
    const now = this.#ctx.clock.now()
    const date = item.date ?? { ms: now, zone: localZone(now) }
    const fields = dialect.writeFields({ keywords: mask, flags: item.system | (claimed ? BIT.old : 0), uid: dialect.header === undefined ? 0 : uid })
    const line = Buffer.from(`${writeInternalDate(date, item.date === undefined ? '0' : ' ')},${stored};${fields}${dialect.lineEnd}`, 'latin1')
    const offset = w.at
    const measure = new Measure(dialect)
    await w.bytes(line)
    for await (const chunk of spooled.chunks()) {
      signal.throwIfAborted()
      const octets = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      const part = dialect.text === 'as-is' ? octets : octets.filter((c) => c !== CR)
      measure.add(Buffer.from(part.buffer, part.byteOffset, part.byteLength))
      await w.bytes(part)
    }
    measure.end()
    const form = FORM.numbered | (claimed ? FORM.old : 0)
    // Files keep whole seconds.
    const second = { ms: Math.floor(date.ms / 1000) * 1000, zone: date.zone }
    return { place: { uid, offset, line: line.length, stored, header: measure.header, size: measure.size, form }, system: item.system, keywords: keywords.words(mask), date: second }
  }
}

/** Messages that were added, and the mailbox with them. */
interface Added {
  readonly entered: readonly Entered[]
  readonly contents: Contents
}
/** More than this is not handed from thread to thread. */
const LANE_OCTETS = 1 << 20

/** No message in the file has a higher number. One that is hidden behind the last may have any that was given. */
function highestOf({ layout, header }: Contents, start: number, size: number): number {
  const last = layout.count - 1
  const end = last < 0 ? start : layout.at('offset', last) + layout.at('line', last) + layout.at('stored', last)
  return end < size ? header.last : last < 0 ? 0 : layout.at('uid', last)
}
/** Only what differs; all of it where there is none yet. */
async function writeHeader(w: ContentWriter, after: Buffer, before: Buffer | undefined): Promise<void> {
  if (before === undefined) return w.bytes(after)
  for (let at = 0; at < after.length; ) {
    if (after[at] === before[at]) {
      at++
      continue
    }
    let end = at + 1
    while (end < after.length && after[end] !== before[end]) end++
    w.stay(at)
    await w.bytes(after.subarray(at, end))
    at = end
  }
}
async function withoutCrs(spooled: Spooled): Promise<number> {
  let size = 0
  for await (const chunk of spooled.chunks()) for (const c of chunk) if (c !== CR) size++
  return size
}
