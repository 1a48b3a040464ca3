import { MailError, uids, type AppendItem, type AppendResult, type Delivery, type FilePlace, type MailboxSource, type OpenMailbox, type Rows, type Spooled, type TableEdit, type TakenMessage } from 'mailwright/api'
import { Gathered } from '../gathered.js'
import type { Say } from '../locks/lock-context.js'
import { localZone, readableDate, writeInternalDate } from '../internal-date.js'
import { giveNumbers, lastGiven } from '../given-numbers.js'
import { makeInboxFile } from '../inbox-file.js'
import type { ContentWriter } from '../content-writer.js'
import { outOfRoom } from '../changes/safe-changes.js'
import { withoutCr } from '../text-file.js'
import { mustBeWhole, owes, readContents, settle, settling, type Contents } from './contents.js'
import { Addition } from './addition.js'
import type { FixedContext } from './context.js'
import { BIT, type Dialect } from './dialect.js'
import { FixedFile, type Held } from './fixed-file.js'
import { FORM, type Place } from './layout.js'
import { Measure, measured } from './measure.js'
import { freshToken } from './patch.js'
import type { Entered } from './rows.js'
import { FixedSource } from './source.js'
import { storedMessages, StoredReader, type StoredIn, type StoredMessages } from './stored.js'
import { cameAt, lotOf, mailCame } from './times.js'

/** A message that waits for the locks: its octets, or the place where they lie. */
interface Waiting {
  readonly item: Pick<AppendItem, 'system' | 'keywords' | 'date' | 'uid'>
  readonly content: Spooled | Place
}
/** Messages that lie in another mailbox of the format. */
interface Taken {
  readonly from: StoredIn
  readonly waiting: readonly Waiting[]
}

/** Appends messages to a mailbox file: octets are gathered without locks, written in one locked section, all or none. */
export class FixedDelivery implements Delivery {
  readonly #place: FilePlace
  readonly #dialect: Dialect
  readonly #ctx: FixedContext
  readonly #gathered: Gathered
  #taken: Taken | undefined

  constructor(place: FilePlace, dialect: Dialect, ctx: FixedContext) {
    this.#place = place
    this.#dialect = dialect
    this.#ctx = ctx
    this.#gathered = new Gathered(ctx.spool, dialect.text === 'as-is' ? 'as-is' : 'converted')
  }

  add(item: AppendItem, signal: AbortSignal): Promise<void> {
    return this.#gathered.add(item, signal)
  }
  /** Out of another mailbox of the format the octets are taken as they lie there, when they are written. */
  async take(from: MailboxSource, messages: readonly TakenMessage[], rows: Rows, signal: AbortSignal): Promise<boolean> {
    if (!(from instanceof FixedSource) || from.dialect !== this.#dialect) return false
    const stored = await from.known.stored(messages.map(({ uid }) => uid), rows)
    signal.throwIfAborted()
    if (stored === undefined) return false
    // Numbers are those of the other mailbox; here the messages get their own.
    const waiting: Waiting[] = []
    for (const [n, { system, keywords, date }] of messages.entries()) {
      const content = stored.places[n]
      if (content === undefined) throw new Error('a message was not taken')
      waiting.push({ item: { system, keywords, ...(date && { date }) }, content })
    }
    this.#taken = { from: stored.from, waiting }
    return true
  }
  abort(): Promise<void> {
    this.#taken = undefined
    return this.#gathered.drop()
  }
  get #waiting(): readonly Waiting[] {
    return this.#taken?.waiting ?? this.#gathered.list.map(({ item, spooled }) => ({ item, content: spooled }))
  }

  async commit(open: OpenMailbox | undefined, signal: AbortSignal): Promise<AppendResult | undefined> {
    // A layer may stand in front of the source, or it may have the file for reading alone; the next look at the file then finds the rows.
    const source = open?.source instanceof FixedSource && open.source.path === this.#place.path && open.source.traits.writable ? open.source : undefined
    const edit = source === undefined ? undefined : open?.edit
    const say: Say = source === undefined || edit === undefined ? () => undefined : source.known.say(edit)
    const file = source?.file ?? new FixedFile(this.#place, true, this.#ctx)
    const work = async (held: Held): Promise<{ result: AppendResult | undefined }> => ({
      result: source === undefined || edit === undefined ? await this.#intoClosed(file, held, signal) : await this.#intoOpen(file, held, source, edit, signal),
    })
    try {
      const known = source === undefined || edit === undefined ? undefined : await this.#intoKnown(source, edit, signal)
      if (known !== undefined) return known.result
      let done = await file.locked(signal, say, work)
      if (done === undefined) {
        await makeInboxFile(this.#ctx, this.#place)
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

  /** Into a mailbox of which everything is known, as it mostly is: one go elsewhere. Undefined when that cannot be, or was not so after all. */
  async #intoKnown(source: FixedSource, edit: TableEdit, signal: AbortSignal): Promise<{ readonly result: AppendResult | undefined } | undefined> {
    source.known.attach(edit)
    const taken = this.#taken
    const octets = this.#waiting.reduce((sum, { content }) => sum + ('stored' in content ? content.stored : content.size), 0)
    if (octets > (taken === undefined ? LANE_OCTETS : LANE_STORED) || !source.goesAtOnce || owes(source.known.contents, false)) return undefined
    const { contents: known, size } = source.known
    const w = new Addition(size)
    const { entered, contents, stored } = await this.#add(w, known, size, source.claiming, signal)
    const done = await source.changeKnown(edit, { kind: 'append', parts: w.parts, stored, ...source.arrival() })
    if (done === undefined) return undefined
    source.known.entered(edit, entered, contents)
    source.known.rememberDone(edit, done)
    return { result: this.#result(contents, entered) }
  }
  async #intoOpen(file: FixedFile, held: Held, source: FixedSource, edit: TableEdit, signal: AbortSignal): Promise<AppendResult | undefined> {
    source.known.attach(edit)
    await source.known.catchUp(held, edit, signal)
    const numbered = await this.#numbered(file, held, source.known.contents, source.known.saver(edit))
    const { mtimeMs } = held.stat
    const { result, undisturbed } = await source.undisturbed(held, () => this.#append(file, held, numbered, source.claiming, signal))
    source.known.entered(edit, result.entered, result.contents)
    await source.delivered(edit, held, { ...source.arrival(), mtimeMs, undisturbed })
    return this.#result(result.contents, result.entered)
  }
  async #intoClosed(file: FixedFile, held: Held, signal: AbortSignal): Promise<AppendResult | undefined> {
    const { mtimeMs } = held.stat
    const found = await readContents(this.#dialect, held, this.#place.path, this.#ctx, undefined, signal)
    const numbered = await this.#numbered(file, held, found)
    const { random } = this.#ctx.locks
    const { result, undisturbed } = await file.undisturbed(held, this.#dialect.header === undefined, () => this.#append(file, held, numbered, false, signal))
    await mailCame(held.file, { atimeMs: cameAt(this.#ctx.clock.now()), lot: lotOf(random), mtimeMs, undisturbed })
    return this.#result(result.contents, result.entered)
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
    return await file.changes.change(held, { kind: 'append', size, start: size }, async (w) => {
      const added = await this.#add(w, contents, size, claimed, signal)
      if (added.stored === undefined) return added
      await using reader = await StoredReader.open(this.#ctx.files, this.#dialect, added.stored)
      await reader.copyTo(w, signal)
      return added
    })
  }
  /** What the mailbox's own record says with the messages, and the messages; those that lie elsewhere are still to be written, behind the rest. */
  async #add(w: ContentWriter, contents: Contents, size: number, claimed: boolean, signal: AbortSignal): Promise<Added> {
    const kind = this.#dialect.header
    const waiting = this.#waiting
    const words = waiting.flatMap(({ item }) => item.keywords)
    const keywords = kind === undefined ? contents.keywords : contents.keywords.with(words)
    const { last } = contents.header
    const numbers = giveNumbers(waiting.map(({ item }) => item), { highest: kind === undefined ? last : highestOf(contents, kind.length, size), last })
    const header = {
      ...contents.header,
      last: lastGiven(last, numbers),
      keywords: keywords.names,
      token: keywords === contents.keywords ? contents.header.token : freshToken(this.#ctx.locks.random),
    }
    if (kind !== undefined) await writeHeader(w, kind.write(header), contents.filed === undefined ? undefined : kind.write(contents.filed))
    // Room for the header is taken first where there is none.
    if (kind === undefined || contents.filed !== undefined) w.stay(size)
    const form = FORM.numbered | (claimed ? FORM.old : 0)
    const entered: Entered[] = []
    const taken: { readonly line: Uint8Array; readonly place: Place }[] = []
    const start = w.at
    let offset = start
    for (const [n, { item, content }] of waiting.entries()) {
      const uid = numbers[n] ?? 0
      const stored = 'stored' in content ? content.stored : await storedSize(this.#dialect, content)
      if (stored === 0) throw new MailError('unsupported', 'Append of zero-length message')
      const mask = keywords.mask(item.keywords)
      const now = this.#ctx.clock.now()
      const date = readableDate(item.date ?? { ms: now, zone: localZone(now) })
      const fields = this.#dialect.writeFields({ keywords: mask, flags: item.system | (claimed ? BIT.old : 0), uid: kind === undefined ? 0 : uid })
      const line = Buffer.from(`${writeInternalDate(date, item.date === undefined ? '0' : ' ')},${stored};${fields}${this.#dialect.lineEnd}`, 'latin1')
      if ('stored' in content) taken.push({ line, place: content })
      const { header: head, size: whole } = 'stored' in content ? content : await this.#spooled(w, line, content, signal)
      // Files keep whole seconds.
      const second = { ms: Math.floor(date.ms / 1000) * 1000, zone: date.zone }
      entered.push({ place: { uid, offset, line: line.length, stored, header: head, size: whole, form }, system: item.system, keywords: keywords.words(mask), date: second })
      offset += line.length + stored
    }
    const stored = this.#taken && storedMessages(this.#taken.from, start, taken)
    return { entered, contents: { ...contents, keywords, header, filed: kind === undefined ? undefined : header }, stored }
  }
  async #spooled(w: ContentWriter, line: Uint8Array, spooled: Spooled, signal: AbortSignal): Promise<Measured> {
    await w.bytes(line)
    if (spooled.whole !== undefined) {
      const octets = wholeInStoredForm(this.#dialect, spooled.whole)
      await w.bytes(octets)
      return measured(this.#dialect, octets)
    }
    const measure = new Measure(this.#dialect)
    for await (const part of storedForm(this.#dialect, spooled)) {
      signal.throwIfAborted()
      measure.add(part)
      await w.bytes(part)
    }
    measure.end()
    return measure
  }
}

/** Octets of the header and of all, as a client sees them. */
type Measured = Pick<Place, 'header' | 'size'>
/** Messages that were added, and the mailbox with them. */
interface Added {
  readonly entered: readonly Entered[]
  readonly contents: Contents
  readonly stored: StoredMessages | undefined
}
/** More than this is not handed from thread to thread. */
const LANE_OCTETS = 1 << 20
/** A thread is not kept longer than by so much, which it reads itself. */
const LANE_STORED = 64 << 20

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
/** What is left of a message of nothing but CRs, where they are not kept: nothing would be no message. */
const EMPTY_LINE = Buffer.from('\n')

/** The octets as they stand in the file. */
async function* storedForm(dialect: Dialect, spooled: Spooled): AsyncGenerator<Buffer> {
  let isEmpty = spooled.size > 0
  for await (const chunk of spooled.chunks()) {
    const part = inStoredForm(dialect, chunk)
    if (part.length > 0) isEmpty = false
    yield part
  }
  if (isEmpty) yield EMPTY_LINE
}
function wholeInStoredForm(dialect: Dialect, whole: Uint8Array): Buffer {
  const octets = inStoredForm(dialect, whole)
  return octets.length === 0 && whole.length > 0 ? EMPTY_LINE : octets
}
function inStoredForm({ text }: Dialect, chunk: Uint8Array): Buffer {
  const { buffer, byteOffset, byteLength } = text === 'as-is' ? chunk : withoutCr(chunk)
  return Buffer.from(buffer, byteOffset, byteLength)
}
async function storedSize(dialect: Dialect, spooled: Spooled): Promise<number> {
  if (dialect.text === 'as-is') return spooled.size
  if (spooled.whole !== undefined) return wholeInStoredForm(dialect, spooled.whole).length
  let size = 0
  for await (const part of storedForm(dialect, spooled)) size += part.length
  return size
}
