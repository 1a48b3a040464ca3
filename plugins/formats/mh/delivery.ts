import { MailError, SYSTEM, failedWith, uids, type AppendItem, type AppendResult, type Delivery, type FilePlace, type OpenMailbox } from 'mailwright/api'
import { Gathered, type Waiting } from '../shared/gathered.js'
import { timeOfDate } from '../shared/file-dates.js'
import { waitsOf } from '../shared/locks/wait-lines.js'
import { listNumbers, statMessages } from '../shared/numbered-files.js'
import { withoutCr } from '../shared/text-file.js'
import type { MhContext } from './context.js'
import { MhFolder, type Held } from './folder.js'
import type { Sequences } from './sequences.js'
import { MhSource } from './source.js'

/** A number is taken by a program that knows no lock. */
const TRIES = 20

const LF = Buffer.from('\n')

type Flags = Pick<AppendItem, 'system' | 'keywords'>
const NEW: Flags = { system: 0, keywords: [] }

/** Puts messages into the folder, all or none. */
export class MhDelivery implements Delivery {
  readonly #place: FilePlace
  readonly #ctx: MhContext
  readonly #gathered: Gathered
  constructor(place: FilePlace, ctx: MhContext) {
    this.#place = place
    this.#ctx = ctx
    this.#gathered = new Gathered(ctx.spool, 'converted')
  }
  add(item: AppendItem, signal: AbortSignal): Promise<void> {
    return this.#gathered.add(item, signal)
  }
  abort(): Promise<void> {
    return this.#gathered.drop()
  }
  /** The rows of a mailbox that is open are left to its next look. */
  async commit(open: OpenMailbox | undefined, signal: AbortSignal): Promise<AppendResult> {
    const source = open?.source instanceof MhSource && open.source.folder.path === this.#place.path ? open.source : undefined
    const folder = source?.folder ?? new MhFolder(this.#place, this.#ctx)
    try {
      return await folder.locked(signal, waitsOf(open?.edit), async (held) => {
        const done = await this.#into(folder, held, signal)
        if (source !== undefined && open !== undefined) await source.arrived(done.held, open.edit, signal)
        return done.result
      })
    } finally {
      await this.abort()
      if (source === undefined) await folder.close()
    }
  }

  async #into(folder: MhFolder, found: Held, signal: AbortSignal): Promise<{ result: AppendResult; held: Held }> {
    const { files } = this.#ctx
    const { path } = folder
    const { numbers, others } = await listNumbers(files, path)
    await folder.sweep(others)
    const older = await this.#older(path, found.record.known, numbers)
    const count = this.#gathered.list.length
    const incoming = Array.from({ length: count }, (_, i) => folder.incoming(i))
    let held = found
    let tried: { readonly first: number; readonly last: number } | undefined
    let numbered = false
    try {
      for (const [i, waiting] of this.#gathered.list.entries()) await this.#write(incoming[i] ?? '', waiting, folder.durable, signal)
      // By these names the next who looks knows which of several are ours.
      if (count > 1) await folder.sync()
      let first = Math.max(held.record.last, numbers.at(-1) ?? 0) + 1
      for (let tries = 0; ; tries++) {
        const last = first + count - 1
        if (last > 0xffffffff) throw new MailError('limit', 'the mailbox has no more message numbers')
        const flags = new Map<number, Flags>(this.#gathered.list.map(({ item }, i) => [first + i, item]))
        // Numbers tried before are not ours: whose message has one, or gets it, finds no flags there.
        if (tried !== undefined) for (let n = tried.first; n < first; n++) flags.set(n, NEW)
        tried = { first: tried?.first ?? first, last }
        await folder.changeSequences(signal, (s) => s.set(new Map([...older(s), ...flags])))
        // The sequences tell of all of them now.
        held = await folder.note(held, { last, known: last, ...(count > 1 ? { from: first, until: last } : { from: 0, until: 0 }) }, true)
        let taken = await this.#link(path, incoming, first)
        if (taken === 'no links') {
          held = await folder.note(held, { from: first, until: last }, true)
          taken = await this.#rename(path, incoming, first)
        }
        numbered = taken === undefined
        if (taken === undefined) break
        if (tries === TRIES) throw new MailError('in-use', `${path}: message numbers are taken by another program again and again`)
        first = taken + 1
      }
      for (const name of incoming) await this.#unlink(name)
      await folder.sync()
      if (held.record.until > 0) held = await folder.note(held, { from: 0, until: 0 }, true)
      return { result: { uidValidity: held.record.validity, uids: uids.from(Array.from({ length: count }, (_, i) => first + i)) }, held }
    } catch (error) {
      if (!numbered && tried !== undefined) await this.#unflag(folder, tried)
      // Until the record says that their numbers are anybody's again, the first names tell that messages there are not ours.
      if (await this.#forgotten(folder, held, numbered ? held : found)) for (const name of incoming) await files.unlink(name).catch(() => undefined)
      throw error
    }
  }
  /**
   * Flags of messages of which the sequences do not tell yet: what other programs brought since somebody looked is new; where nobody ever did and nobody keeps track of
   * what is unseen, what was read since it was written is not.
   */
  async #older(path: string, known: number, numbers: readonly number[]): Promise<(sequences: Sequences) => Iterable<readonly [number, Flags]>> {
    if (known > 0) return () => numbers.filter((n) => n > known).map((n) => [n, NEW])
    const { stats } = await statMessages(this.#ctx.files, path, numbers)
    return (sequences) =>
      sequences.knowsUnseen
        ? []
        : stats.map(([n, { atimeMs, mtimeMs }]) => {
            const { system, keywords } = sequences.flagsOf(n)
            return [n, { system: atimeMs > mtimeMs ? system : system & ~SYSTEM.seen, keywords }]
          })
  }
  /** Takes flags from numbers that were not given. */
  async #unflag(folder: MhFolder, { first, last }: { readonly first: number; readonly last: number }): Promise<void> {
    const flags = new Map<number, Flags>()
    for (let n = first; n <= last; n++) flags.set(n, NEW)
    // Also when the delivery was given up. Why it failed is told, and not that there is no room for this either.
    await folder.changeSequences(new AbortController().signal, (s) => s.set(flags)).catch(() => undefined)
  }
  /** The record speaks of no delivery any more, and of no numbers that were not given; false when it could not be written. */
  async #forgotten(folder: MhFolder, held: Held, { record: { last, known } }: Held): Promise<boolean> {
    if (held.record.until === 0 && held.record.last === last && held.record.known === known) return true
    try {
      await folder.note(held, { last, known, from: 0, until: 0 }, true)
      return true
    } catch {
      return false
    }
  }
  /** Gives messages their numbers; answers one that was taken, and then none of them has any. */
  async #link(path: string, incoming: readonly string[], first: number): Promise<number | 'no links' | undefined> {
    const { files } = this.#ctx
    const linked: string[] = []
    try {
      for (const [i, name] of incoming.entries()) {
        await files.link(name, `${path}/${first + i}`)
        linked.push(`${path}/${first + i}`)
      }
      return undefined
    } catch (error) {
      for (const name of linked) await files.unlink(name)
      if (failedWith(error, 'EEXIST')) return first + linked.length
      if (failedWith(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK')) return 'no links'
      throw error
    }
  }
  /**
   * The same where a file has one name only: an empty file takes each number, for which no other program then tries, and the message comes in its place.
   * The record speaks of them before, so that what a crash leaves empty is no message.
   */
  async #rename(path: string, incoming: readonly string[], first: number): Promise<number | undefined> {
    const { files } = this.#ctx
    const taken: string[] = []
    let renamed = 0
    try {
      for (const i of incoming.keys()) {
        await (await files.open(`${path}/${first + i}`, { write: true, create: 'new', mode: this.#place.fileMode })).close()
        taken.push(`${path}/${first + i}`)
      }
      for (const [i, name] of incoming.entries()) {
        await files.rename(name, taken[i] ?? '')
        renamed++
      }
      return undefined
    } catch (error) {
      for (const [i, name] of taken.entries()) await (i < renamed ? files.rename(name, incoming[i] ?? '') : files.unlink(name))
      if (failedWith(error, 'EEXIST')) return first + taken.length
      throw error
    }
  }
  async #unlink(name: string): Promise<void> {
    try {
      await this.#ctx.files.unlink(name)
    } catch (error) {
      if (!failedWith(error, 'ENOENT')) throw error
    }
  }
  async #write(path: string, { item, spooled }: Waiting, durable: boolean, signal: AbortSignal): Promise<void> {
    const now = this.#ctx.clock.now()
    const date = item.date ?? { ms: now, zone: 0 - new Date(now).getTimezoneOffset() }
    const file = await this.#ctx.files.open(path, { write: true, create: 'if-missing', mode: this.#place.fileMode })
    try {
      await file.truncate(0)
      let at = 0
      for await (const chunk of spooled.chunks()) {
        signal.throwIfAborted()
        const text = withoutCr(chunk)
        await file.write([text], at)
        at += text.length
      }
      // Nothing but CRs: an empty file would be no message.
      if (at === 0) await file.write([LF], 0)
      // Programs without sequences tell by these times what was read.
      const written = timeOfDate(date.ms, date.zone)
      await file.setTimes((item.system & SYSTEM.seen) === 0 ? Math.min(now, written) : now, written)
      if (durable) await file.sync()
    } finally {
      await file.close()
    }
  }
}
