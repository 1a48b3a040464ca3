import { MailError, failedWith, type Delivery, type Examined, type FilePlace, type FileStat, type GivenNumbers, type MailboxFormat, type MailboxSource, type TellWait, type MailUser } from 'mailwright/api'
import { Beginnings } from '../beginnings.js'
import { nowSeconds } from '../changes/state-directory.js'
import { isWritable } from '../folders.js'
import { folderOf } from '../locks/lock-context.js'
import { sayWaits } from '../locks/wait-lines.js'
import { makeWhole } from '../new-file.js'
import type { FixedContext } from './context.js'
import { emptyHeader } from './contents.js'
import { SafeChanges } from '../changes/safe-changes.js'
import { closeRead, readSmall } from '../small-read.js'
import { FixedDelivery } from './delivery.js'
import { examineFixed } from './examine.js'
import type { Dialect } from './dialect.js'
import { FixedFile, holdersOf, type Held } from './fixed-file.js'
import { LONGEST_LINE, looksLikeRecord } from './record.js'
import { FixedSource } from './source.js'

/** Mailbox files with records of fixed form. */
export class FixedFormat implements MailboxFormat {
  readonly #ctx: FixedContext
  readonly #beginnings = new Beginnings()
  readonly #dialect: Dialect
  constructor(dialect: Dialect, ctx: FixedContext) {
    this.#dialect = dialect
    this.#ctx = ctx
  }

  async recognise(at: FilePlace, _signal?: AbortSignal, seen?: FileStat): Promise<'mine' | 'empty' | 'not-mine'> {
    const { files, recognised } = this.#ctx
    const stat = seen ?? (await files.stat(at.path))
    if (stat?.kind !== 'file') return 'not-mine'
    if (stat.size === 0) return 'empty'
    if (recognised.onlyGrew(at.path, stat)) return 'mine'
    const file = await files.open(at.path, { keepAccessTime: true })
    let head: Buffer
    try {
      head = Buffer.alloc(Math.min(this.#headLength, stat.size))
      head = head.subarray(0, await readSmall(file, head, 0))
    } finally {
      closeRead(file)
    }
    await this.#keepNewMailMark(at.path, stat)
    if (!this.#isOurs(head)) {
      // The first message, or the record, may have been on its way to the disk.
      const begun = await new SafeChanges(at, { ...this.#ctx, random: this.#ctx.locks.random }).begun(stat, this.#headLength)
      return begun !== undefined && this.#isOurs(begun) ? 'mine' : 'not-mine'
    }
    recognised.remember(at.path, stat)
    return 'mine'
  }
  /** The first of its places that holds a mailbox of this format. */
  async inbox(user: MailUser, _signal: AbortSignal, delivered: string | undefined): Promise<FilePlace | undefined> {
    const { home } = user
    if (home === undefined) return undefined
    const { fileMode, directoryMode } = this.#ctx.mailbox
    const [any, own] = this.#dialect.inboxes
    for (const name of [any, own]) {
      const place = { path: `${home}/${name ?? ''}`, user, fileMode, directoryMode, isInbox: true }
      // Where mail is delivered nothing is taken over: that is INBOX, in whatever format.
      if (name === undefined || place.path === delivered) continue
      const answer = await this.recognise(place)
      if (answer === 'mine' || (answer === 'empty' && name === own)) return place
    }
    return undefined
  }
  get inboxName(): string {
    const [any, own = any] = this.#dialect.inboxes
    return own
  }
  get #headLength(): number {
    return this.#dialect.header?.length ?? LONGEST_LINE
  }
  #isOurs(head: Buffer): boolean {
    const { header } = this.#dialect
    return header === undefined ? looksLikeRecord(this.#dialect, head) : head.length === header.length && header.parse(head) !== undefined
  }
  /** A look at a file with new mail must not make it look read. */
  async #keepNewMailMark(path: string, before: FileStat): Promise<void> {
    if (before.ctimeMs <= before.atimeMs) return
    const now = await this.#ctx.files.stat(path)
    if (now === undefined || now.atimeMs === before.atimeMs || now.mtimeMs !== before.mtimeMs) return
    try {
      await this.#ctx.files.setTimes(path, before.atimeMs, before.mtimeMs)
    } catch (error) {
      if (!failedWith(error, 'EPERM', 'EACCES', 'EROFS', 'ENOENT')) throw error
    }
  }

  /** A mailbox without a record of its own is an empty file. */
  async create(at: FilePlace, { uidValidity, uidNext = 1 }: GivenNumbers = {}): Promise<void> {
    const { files, clock, mailbox } = this.#ctx
    const empty = emptyHeader(clock, mailbox.defaultKeywords)
    const record = this.#dialect.header?.write({ ...empty, validity: uidValidity ?? this.#beginnings.at(at.path, empty.validity), last: uidNext - 1 })
    if (record === undefined) await (await files.open(at.path, { write: true, create: 'new', mode: at.fileMode })).close()
    else if (!(await makeWhole(this.#ctx, at, record))) await this.#begin(at, record)
    if (mailbox.durability === 'full') await files.syncDirectory(folderOf(at.path))
  }
  /** The name first, and the record under the locks as every change is made: after a crash the next look finds it in the redo file, or an empty file. */
  async #begin(at: FilePlace, record: Uint8Array): Promise<void> {
    await (await this.#ctx.files.open(at.path, { write: true, create: 'new', mode: at.fileMode })).close()
    const { signal } = new AbortController()
    const box = new FixedFile(at, true, this.#ctx)
    try {
      await box.locked(signal, () => undefined, async (held) => {
        if (held.stat.size > 0) throw new MailError('exists', `Can't create mailbox ${at.path}: mailbox already exists`)
        await box.changes.change(held, { kind: 'append', size: 0, start: 0 }, (w) => w.bytes(record))
      })
    } finally {
      await box.close()
    }
  }

  examine(at: FilePlace, signal: AbortSignal): AsyncIterable<Examined> {
    return examineFixed(this.#dialect, at, this.#ctx, signal)
  }
  async open(at: FilePlace): Promise<MailboxSource> {
    return new FixedSource(at, await isWritable(this.#ctx.files, at.path), this.#dialect, this.#ctx)
  }
  async append(at: FilePlace): Promise<Delivery> {
    return new FixedDelivery(at, this.#dialect, this.#ctx)
  }

  async remove(at: FilePlace, waits?: TellWait): Promise<void> {
    await this.#unused(at, waits, async (box, held) => {
      await this.#ctx.files.unlink(at.path)
      await box.forgetChanges(held)
    })
  }
  async rename(from: FilePlace, to: FilePlace, waits?: TellWait): Promise<void> {
    await this.#unused(from, waits, () => this.#ctx.files.renameToFree(from.path, to.path))
  }
  /** Runs when no other program has the mailbox open. Sources of this process let go of it first: what they find afterwards is the caller's business. */
  async #unused(at: FilePlace, waits: TellWait | undefined, work: (box: FixedFile, held: Held) => Promise<void>): Promise<void> {
    const { signal } = new AbortController()
    const box = new FixedFile(at, true, this.#ctx)
    try {
      const done = await box.locked(signal, sayWaits(waits), async (held) => {
        // Nobody keeps messages where they are any more.
        await box.finishAhead(held)
        for (const other of holdersOf(this.#ctx, held.stat)) if (other !== box) other.release()
        this.#beginnings.ends(at.path, nowSeconds(this.#ctx.clock))
        if ((await box.alone(() => work(box, held))) === undefined) throw new MailError('in-use', `Mailbox ${at.path} is in use by another process`)
        return true
      })
      if (done === undefined) throw new MailError('not-found', `${at.path} is gone`)
    } finally {
      await box.close()
    }
    if (this.#ctx.mailbox.durability === 'full') await this.#ctx.files.syncDirectory(folderOf(at.path))
  }
}
