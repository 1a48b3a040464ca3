import { uids, type AppendItem, type AppendResult, type Delivery, type FilePlace, type OpenMailbox } from 'mailwright/api'
import { Gathered, type Waiting } from '../shared/gathered.js'
import { dateOfTime, isTold, timeOfDate } from '../shared/file-dates.js'
import { giveNumbers, lastGiven } from '../shared/given-numbers.js'
import { KeywordBits } from '../shared/keyword-bits.js'
import { listNumbers, statNumbers } from '../shared/numbered-files.js'
import { outOfRoom } from '../shared/changes/safe-changes.js'
import { localZone } from '../shared/zone.js'
import { INCOMING, type MxContext } from './context.js'
import { MxFolder, type Held } from './folder.js'
import { headText, OLD, RECORD_OCTETS, recordText, SYSTEM_BITS } from './records.js'
import { MxSource } from './source.js'

interface Entered {
  readonly uid: number
  readonly size: number
  readonly ms: number
  readonly zone: number
  readonly system: number
  readonly keywords: readonly string[]
}

/** Puts messages into the folder, all or none. */
export class MxDelivery implements Delivery {
  readonly #place: FilePlace
  readonly #ctx: MxContext
  readonly #gathered: Gathered
  constructor(place: FilePlace, ctx: MxContext) {
    this.#place = place
    this.#ctx = ctx
    this.#gathered = new Gathered(ctx.spool, 'as-is')
  }
  add(item: AppendItem, signal: AbortSignal): Promise<void> {
    return this.#gathered.add(item, signal)
  }
  abort(): Promise<void> {
    return this.#gathered.drop()
  }
  async commit(open: OpenMailbox | undefined, signal: AbortSignal): Promise<AppendResult> {
    // A layer may stand in front of the source; the next look at the mailbox then finds the rows.
    const source = open?.source instanceof MxSource && open.source.folder.path === this.#place.path ? open.source : undefined
    const edit = source === undefined ? undefined : open?.edit
    const folder = source?.folder ?? new MxFolder(this.#place, this.#ctx)
    try {
      return await folder.locked('exclusive', signal, edit === undefined || source === undefined ? () => undefined : source.say(edit), async (found) => {
        if (source === undefined || edit === undefined) {
          return (await this.#into(folder, found, await this.#highest(folder, found), new KeywordBits(found.index.keywords), false, signal)).result
        }
        const held = await source.catchUp(found, edit)
        const highest = Math.max(held.index.highest, edit.rows.uid[edit.rows.length - 1] ?? 0)
        const done = await this.#into(folder, held, highest, source.keywords, source.claiming, signal)
        for (const [i, m] of done.entered.entries()) source.enter(edit, m, done.at + i * RECORD_OCTETS + 1)
        await source.arrived(edit, done.held, done.moved)
        return done.result
      })
    } catch (error) {
      throw outOfRoom(error)
    } finally {
      await this.abort()
    }
  }

  async #into(folder: MxFolder, held: Held, highest: number, keywords: KeywordBits, claimed: boolean, signal: AbortSignal): Promise<{ result: AppendResult; entered: readonly Entered[]; at: number; held: Held; moved: boolean }> {
    const { files } = this.#ctx
    const { path } = folder
    const given = await this.#numbers(folder, held, highest)
    keywords.define(this.#gathered.list.flatMap(({ item }) => item.keywords))
    const entered: Entered[] = []
    const names: string[] = []
    try {
      for (const waiting of this.#gathered.list) {
        const uid = given[entered.length] ?? 0
        names.push(`${path}/${INCOMING}${uid}`)
        entered.push(await this.#write(names.at(-1) ?? '', uid, waiting, keywords, folder.durable, signal))
      }
      // Several get their numbers together or not at all: their names are on the disk before the index speaks of them.
      if (entered.length > 1 && folder.durable) await files.syncDirectory(path)
      const last = lastGiven(held.index.last, given)
      const head = headText(held.index.validity, last, keywords.names)
      const moved = keywords.names.length !== held.index.keywords.length
      const records = entered.map((m) => recordText(m.uid, keywords.mask(m.keywords), (m.system & SYSTEM_BITS) | (claimed ? OLD : 0)))
      let at = held.index.end
      let done: Held
      if (moved) {
        const before = (await folder.whole(held)).records
        at = head.length + before.length * RECORD_OCTETS
        done = await folder.write(held, { validity: held.index.validity, last, keywords: [...keywords.names] }, [...before.map((r) => recordText(r.uid, r.keywords, r.flags)), ...records])
      } else {
        const patched = await folder.patch(held, [{ at: 0, text: head.slice(0, 18) }, { at, text: records.join('') }], at + records.length * RECORD_OCTETS)
        done = { ...patched, index: { ...held.index, last, end: at + records.length * RECORD_OCTETS, highest: given.at(-1) ?? highest, count: held.index.count + records.length } }
      }
      for (const m of entered) await files.rename(`${path}/${INCOMING}${m.uid}`, `${path}/${m.uid}`)
      if (folder.durable) await files.syncDirectory(path)
      return { result: { uidValidity: held.index.validity, uids: uids.from(entered.map(({ uid }) => uid)) }, entered, at, held: done, moved }
    } catch (error) {
      // Those that have their number already are no incoming ones any more.
      for (const name of names) await files.unlink(name).catch(() => undefined)
      for (const m of entered) await files.unlink(`${path}/${m.uid}`).catch(() => undefined)
      throw error
    }
  }
  /** The highest number that a message has; nobody here knows the folder, so it is listed. */
  async #highest(folder: MxFolder, held: Held): Promise<number> {
    const { numbers, others } = await listNumbers(this.#ctx.files, folder.path)
    await folder.finishIncoming(held, others)
    return Math.max(held.index.highest, numbers.at(-1) ?? 0)
  }
  /** Numbers for the messages, with no file of another program in their way. */
  async #numbers(folder: MxFolder, held: Held, highest: number): Promise<readonly number[]> {
    const items = this.#gathered.list.map(({ item }) => item)
    const given = giveNumbers(items, { highest, last: held.index.last })
    const there = await statNumbers(this.#ctx.files, folder.path, given)
    return there.length === 0 ? given : giveNumbers(items, { highest: await this.#highest(folder, held), last: held.index.last })
  }
  async #write(path: string, uid: number, { item, spooled }: Waiting, keywords: KeywordBits, durable: boolean, signal: AbortSignal): Promise<Entered> {
    const now = this.#ctx.clock.now()
    const date = item.date ?? { ms: now, zone: localZone(now) }
    const file = await this.#ctx.files.open(path, { write: true, create: 'if-missing', mode: this.#place.fileMode })
    let told = { ms: Math.floor(date.ms / 1000) * 1000, zone: date.zone }
    try {
      await file.truncate(0)
      let at = 0
      for await (const chunk of spooled.chunks()) {
        signal.throwIfAborted()
        await file.write([chunk], at)
        at += chunk.length
      }
      await file.setTimes(now, timeOfDate(date.ms, date.zone))
      if (!isTold(date.ms, date.zone)) told = dateOfTime((await file.stat()).mtimeMs)
      if (durable) await file.sync()
    } finally {
      await file.close()
    }
    return { uid, size: spooled.size, ...told, system: item.system & SYSTEM_BITS, keywords: keywords.list(keywords.mask(item.keywords)) }
  }
}
