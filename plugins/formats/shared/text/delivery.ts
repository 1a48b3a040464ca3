import { MailError, uids, type AppendItem, type AppendResult, type Delivery, type FilePlace, type FlagSet, type MailboxSource, type OpenMailbox, type Rows, type Spooled, type TableEdit, type TakenMessage } from 'mailwright/api'
import type { Say } from '../locks/lock-context.js'
import { lockValues, tellNews } from '../locks/impatient-locks.js'
import { appendKnown } from './append-task.js'
import { appendMessages, type AppendHow, type Appended, type Target } from './append.js'
import { arriving, type Source } from './arriving.js'
import { makeInboxFile } from '../inbox-file.js'
import { nowSeconds } from '../changes/state-directory.js'
import type { TextContext } from './context.js'
import { filedFlags, KeywordTable } from './flags.js'
import { localZone } from '../internal-date.js'
import { BIT } from './internal-lines.js'
import { FORM, type Layout } from './layout.js'
import { outOfRoom } from '../changes/safe-changes.js'
import { MailboxFile, type HeldFile } from './mailbox-file.js'
import { scanFile, type Scanned } from './scan.js'
import { TextSource } from './source.js'
import { compare, fileState } from './stamp.js'
import type { StoredAt, StoredIn } from './stored.js'

/** A message that waits for the locks. */
interface Arrived extends Source {
  readonly content: Spooled | StoredAt
}

/** Appends messages to a mailbox file: octets are gathered without locks, written in one locked section, all or none. */
export class TextDelivery implements Delivery {
  readonly #place: FilePlace
  readonly #ctx: TextContext
  readonly #waiting: Arrived[] = []
  /** Where those lie that were taken. */
  #from: StoredIn | undefined

  constructor(place: FilePlace, ctx: TextContext) {
    this.#place = place
    this.#ctx = ctx
  }

  async add(item: AppendItem, signal: AbortSignal): Promise<void> {
    const spooled = await this.#ctx.spool.take(item, signal)
    this.#waiting.push({ item, content: spooled })
    if (spooled.size === 0) throw new MailError('unsupported', 'Append of zero-length message')
  }

  /** Out of another mailbox of the format the octets are taken as they lie there, when they are written. */
  async take(from: MailboxSource, messages: readonly TakenMessage[], _rows: Rows, signal: AbortSignal): Promise<boolean> {
    if (!(from instanceof TextSource) || from.dialect.name !== this.#ctx.dialect.name) return false
    const stored = await from.stored(uids.from(messages.map(({ uid }) => uid)))
    signal.throwIfAborted()
    if (stored === undefined) return false
    this.#from = stored.from
    // Numbers are those of the other mailbox; here the messages get their own.
    for (const { uid, ...item } of messages) {
      const content = stored.places.get(uid)
      if (content === undefined) throw new Error(`message ${uid} was not taken`)
      this.#waiting.push({ item, content })
    }
    return true
  }

  async abort(): Promise<void> {
    for (const { content } of this.#waiting.splice(0)) if (!('head' in content)) await content[Symbol.asyncDispose]()
  }

  async commit(open: OpenMailbox | undefined, signal: AbortSignal): Promise<AppendResult | undefined> {
    // A layer may stand in front of the source; the next look at the file then finds the rows.
    const source = open?.source instanceof TextSource && open.source.path === this.#place.path ? open.source : undefined
    const edit = source === undefined ? undefined : open?.edit
    const say: Say = source === undefined || edit === undefined ? () => undefined : source.say(edit)
    const file = new MailboxFile(this.#place, this.#ctx)
    const work = async (held: HeldFile): Promise<{ result: AppendResult | undefined }> => ({
      result: source === undefined || edit === undefined ? await this.#intoClosed(file, held, signal) : await this.#intoOpen(file, held, source, edit, signal),
    })
    try {
      const quick = source === undefined || edit === undefined ? undefined : await this.#intoKnown(source, edit, say, signal)
      if (quick !== undefined) return quick
      let done = await file.locked('append', signal, say, work)
      if (done === undefined) {
        await makeInboxFile(this.#ctx, this.#place)
        done = await file.locked('append', signal, say, work)
      }
      if (done === undefined) throw new MailError('not-found', `${this.#place.path} is gone`)
      return done.result
    } catch (error) {
      throw outOfRoom(error)
    } finally {
      await this.abort()
    }
  }

  /** Into a mailbox of which everything is known, as it mostly is: one go elsewhere. Undefined when that cannot be, or was not so after all. */
  async #intoKnown(source: TextSource, edit: TableEdit, say: Say, signal: AbortSignal): Promise<AppendResult | undefined> {
    source.attach(edit)
    const { state, keywords } = source
    const most = this.#from === undefined ? LANE_OCTETS : LANE_STORED
    const octets = this.#waiting.reduce((sum, { content }) => sum + ('head' in content ? content.length : content.size), 0)
    const end = source.separated ? 'separated' : source.layout.count === 0 && state?.base.kind === 'record' ? 'to be seen' : undefined
    if (state === undefined || end === undefined || source.mustNumber || octets > most || this.#keepsNumbers || !keywords.has(this.#wanted())) return undefined
    const messages = await Promise.all(
      this.#waiting.map(async ({ item: { system, keywords: words, date }, content }) => ({
        item: { system, keywords: words, ...(date && { date }) },
        content: 'head' in content ? content : await gathered(content),
      })),
    )
    const target: Target = { base: state.base, validity: edit.uidValidity, last: edit.uidNext - 1, size: source.layout.end, separated: end === 'separated' }
    const { now: _, ...how } = this.#how(keywords, source.claiming)
    const { ms: nowMs, zone } = this.#now()
    const { lane, locks, mailbox, turns } = this.#ctx
    const what = { ...lockValues(locks), place: this.#place, mailbox, state, target, messages, from: this.#from, how: { ...how, nowMs, zone } }
    const { path } = this.#place
    const done = await turns.run(path, async () => {
      await locks.courtesy.rest(path, signal)
      const found = await appendKnown(lane, what)
      if (found !== undefined) locks.courtesy.freed(path, found.heldMs)
      return found
    })
    if (done === undefined) return undefined
    tellNews(done, locks, say)
    source.grown(edit, done.appended.entered, done.appended.end, done.state)
    return { uidValidity: edit.uidValidity, uids: uids.from(done.appended.entered.map(({ place }) => place.uid)) }
  }
  async #intoOpen(file: MailboxFile, held: HeldFile, source: TextSource, edit: TableEdit, signal: AbortSignal): Promise<AppendResult | undefined> {
    source.attach(edit)
    await source.catchUp(held, edit, signal)
    const { keywords } = source
    if (!held.owner) {
      await this.#append(file, held, undefined, keywords, signal)
      await source.look(held, edit, signal)
      return undefined
    }
    source.mustBeWhole(held)
    const more = keywords.define(this.#wanted())
    if ((more && source.base.kind !== 'none') || source.mustNumber) await source.number(held, edit, signal)
    const target: Target = { base: source.base, validity: edit.uidValidity, last: edit.uidNext - 1, highest: highestOf(source.layout), size: source.layout.end, separated: source.separated }
    const done = await this.#append(file, held, target, keywords, signal, source.claiming)
    if (done.mended) await source.look(held, edit, signal)
    else {
      source.entered(edit, done.entered, done.base, done.end)
      await source.remember(edit, held, source.layout, done.base)
    }
    return { uidValidity: edit.uidValidity, uids: uids.from(done.entered.map(({ place }) => place.uid)) }
  }

  /** Nobody of this process has the mailbox open: what is known from the last append, or a scan, says how to number. */
  async #intoClosed(file: MailboxFile, held: HeldFile, signal: AbortSignal): Promise<AppendResult | undefined> {
    const { facts, clock } = this.#ctx
    const { path } = this.#place
    const known = facts.get(path)
    let target: Target | undefined
    if (held.owner && !this.#keepsNumbers && known !== undefined && known.numbered && compare(known.state, held.stat) === 'same') {
      target = { base: known.state.base, validity: known.validity, last: known.last, size: held.stat.size }
      if (new KeywordTable(target.base.keywords).define(this.#wanted())) target = undefined
    }
    if (target === undefined) {
      const found = await scanFile(this.#ctx.dialect, held.file, held.stat.size, known, signal)
      if (found.stopped < held.stat.size && found.layout.count === 0 && found.base.kind === 'none') throw new MailError('corrupt', `Not a ${this.#ctx.dialect.title}-format mailbox: ${path}`)
      if (found.stopped < held.stat.size) throw new MailError('corrupt', `${path} is damaged: what stands at octet ${found.stopped} is no message`)
      const keywords = new KeywordTable(found.base.keywords)
      const more = keywords.define(this.#wanted())
      if (!held.owner) {
        await this.#append(file, held, undefined, keywords, signal)
        return undefined
      }
      target = { base: found.base, validity: found.uids.validity || facts.beginning(path, nowSeconds(clock)), last: found.uids.last, highest: highestOf(found.layout), size: held.stat.size }
      const { layout } = found
      let numbered = layout.count === 0 || found.base.kind !== 'none'
      for (let i = 0; i < layout.count && numbered; i++) numbered = layout.has(i, FORM.numbered)
      if (!numbered || (more && found.base.kind !== 'none')) target = { ...target, ...(await this.#number(file, held, found, target, keywords, signal)) }
    }
    const keywords = new KeywordTable(target.base.keywords)
    keywords.define(this.#wanted())
    const done = await this.#append(file, held, target, keywords, signal)
    facts.set(path, { state: fileState(await held.file.stat(), done.base, held.mark), validity: target.validity, last: done.last, numbered: true })
    return { uidValidity: target.validity, uids: uids.from(done.entered.map(({ place }) => place.uid)) }
  }
  /** Gives the messages that are there their numbers, and the mailbox its keywords. */
  async #number(file: MailboxFile, held: HeldFile, found: Scanned, target: Target, keywords: KeywordTable, signal: AbortSignal): Promise<Pick<Target, 'base' | 'size'>> {
    const { layout } = found
    const sets: FlagSet[] = []
    for (let i = 0; i < layout.count; i++) {
      const words = keywords.known(found.words[i] ?? [])
      const system = (found.bits[i] ?? 0) & ~BIT.old
      layout.filed[i] = filedFlags(system, words)
      sets.push({ system, keywords: words, wire: EMPTY })
    }
    const now = this.#now()
    const wish = {
      dialect: this.#ctx.dialect, date: (i: number) => ({ ms: found.ms[i] ?? 0, zone: found.zone[i] ?? 0 }), layout, base: found.base, validity: target.validity, last: target.last, keywords: keywords.names.filter((name) => name !== ''),
      flagId: (i: number) => i, flagSets: sets, keep: () => true, claim: false, record: { host: this.#ctx.serverName, nowMs: now.ms, zone: now.zone },
    }
    const done = await file.rewrite(held, held.stat.size, wish, signal)
    return { base: done.base, size: done.layout.end }
  }

  async #append(file: MailboxFile, held: HeldFile, target: Target | undefined, keywords: KeywordTable, signal: AbortSignal, claimed = false): Promise<Appended> {
    const size = target?.size ?? held.stat.size
    await using messages = await arriving(this.#ctx.files, this.#waiting, this.#from)
    return await file.append(held, size, async (w) => {
      const laid = await appendMessages(held.file, size, w, messages.waiting, target, this.#how(keywords, claimed), signal)
      await messages.verify()
      return laid
    })
  }
  /** What stands above the messages that are there must then be known. */
  get #keepsNumbers(): boolean {
    return this.#waiting.some(({ item }) => item.uid !== undefined)
  }
  #wanted(): readonly string[] {
    return this.#waiting.flatMap(({ item }) => item.keywords)
  }
  #now(): { readonly ms: number; readonly zone: number } {
    const ms = this.#ctx.clock.now()
    return { ms, zone: localZone(ms) }
  }
  #how(keywords: KeywordTable, claimed: boolean): AppendHow {
    const name = this.#place.user.name.replaceAll(/[^\x21-\x7e]/g, '_')
    return {
      dialect: this.#ctx.dialect,
      sender: name.includes('@') ? name : `${name}@${this.#ctx.serverName}`,
      claimed,
      quoting: this.#ctx.mailbox.fromQuoting,
      keywords: keywords.names.filter((word) => word !== ''),
      now: () => this.#now(),
    }
  }
}
const EMPTY = new Uint8Array()
function highestOf(layout: Layout): number {
  return layout.count === 0 ? 0 : layout.at(layout.count - 1, layout.uid)
}
/** More than this is not handed from thread to thread. */
const LANE_OCTETS = 1 << 20
/** A thread is not kept longer than by so much, which it reads itself. */
const LANE_STORED = 64 << 20

async function gathered(spooled: Spooled): Promise<Uint8Array> {
  // In memory of their own: what they are a part of would cross to the other thread with them.
  if (spooled.whole !== undefined) return new Uint8Array(spooled.whole)
  const chunks: Uint8Array[] = []
  for await (const chunk of spooled.chunks()) chunks.push(chunk)
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
}
