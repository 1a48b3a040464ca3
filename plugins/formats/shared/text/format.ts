import { MailError, failedWith, type Examined, type FilePlace, type FileStat, type GivenNumbers, type MailboxFormat, type MailboxSource, type TellWait } from 'mailwright/api'
import { isWritable } from '../folders.js'
import { folderOf } from '../locks/lock-context.js'
import { sayWaits } from '../locks/wait-lines.js'
import { makeWhole } from '../new-file.js'
import { beginningOf } from './beginning.js'
import { mailboxRecord } from './blocks.js'
import { nowSeconds } from '../changes/state-directory.js'
import type { TextContext } from './context.js'
import { TextDelivery } from './delivery.js'
import { examineText } from './examine.js'
import { localZone } from '../internal-date.js'
import { MailboxFile, type HeldFile } from './mailbox-file.js'
import { TextSource } from './source.js'

/** Traditional mailbox files, shared with every mail program of the machine. */
export class TextFormat implements MailboxFormat {
  readonly #ctx: TextContext
  constructor(ctx: TextContext) {
    this.#ctx = ctx
  }

  async recognise(at: FilePlace, _signal?: AbortSignal, seen?: FileStat): Promise<'mine' | 'empty' | 'not-mine'> {
    const { files, recognised } = this.#ctx
    const isKnown = (stat: FileStat | undefined): boolean => stat?.kind === 'file' && recognised.onlyGrew(at.path, stat)
    if (isKnown(seen)) return 'mine'
    const stat = seen ?? (await files.stat(at.path))
    if (stat?.kind !== 'file') return 'not-mine'
    if (stat.size === 0) return 'empty'
    if (seen === undefined && isKnown(stat)) return 'mine'
    const beginning = await beginningOf(this.#ctx, at.path, stat.size)
    if (beginning !== 'mailbox') return beginning === 'begun' ? 'mine' : 'not-mine'
    await this.#keepNewMailMark(at.path, stat)
    recognised.remember(at.path, stat)
    return 'mine'
  }
  examine(at: FilePlace, signal: AbortSignal): AsyncIterable<Examined> {
    return examineText(at, this.#ctx, signal)
  }
  /** A look at a file with new mail must not make it look read. */
  async #keepNewMailMark(path: string, before: { atimeMs: number; mtimeMs: number; ctimeMs: number }): Promise<void> {
    if (before.ctimeMs <= before.atimeMs && before.mtimeMs <= before.atimeMs) return
    const now = await this.#ctx.files.stat(path)
    if (now === undefined || now.atimeMs === before.atimeMs || now.mtimeMs !== before.mtimeMs) return
    try {
      await this.#ctx.files.setTimes(path, before.atimeMs, before.mtimeMs)
    } catch (error) {
      if (!failedWith(error, 'EPERM', 'EACCES', 'EROFS', 'ENOENT')) throw error
    }
  }

  async create(at: FilePlace, { uidValidity = this.#ctx.facts.beginning(at.path, nowSeconds(this.#ctx.clock)), uidNext = 1 }: GivenNumbers = {}): Promise<void> {
    const { dialect, files, clock, serverName, mailbox } = this.#ctx
    const nowMs = clock.now()
    const facts = { host: serverName, nowMs, zone: localZone(nowMs), validity: uidValidity, last: uidNext - 1, keywords: mailbox.defaultKeywords, messageId: false }
    const record = Buffer.from(mailboxRecord(dialect, facts), 'latin1')
    if (!(await makeWhole(this.#ctx, at, record))) await this.#begin(at, record)
    if (mailbox.durability === 'full') await files.syncDirectory(folderOf(at.path))
  }
  /** The name first, and the record under the locks as every change is made: after a crash the next look finds it in the redo file, or an empty file. */
  async #begin(at: FilePlace, record: Uint8Array): Promise<void> {
    await (await this.#ctx.files.open(at.path, { write: true, create: 'new', mode: at.fileMode })).close()
    const { signal } = new AbortController()
    const file = new MailboxFile(at, this.#ctx)
    await file.locked('alone', signal, () => undefined, async (held) => {
      if (!held.owner || held.stat.size > 0) throw new MailError('exists', `Can't create mailbox ${at.path}: mailbox already exists`)
      await file.append(held, 0, (w) => w.bytes(record))
    })
  }

  async open(at: FilePlace): Promise<MailboxSource> {
    return new TextSource(at, await isWritable(this.#ctx.files, at.path), this.#ctx)
  }

  async append(at: FilePlace): Promise<TextDelivery> {
    return new TextDelivery(at, this.#ctx)
  }

  async remove(at: FilePlace, waits?: TellWait): Promise<void> {
    await this.#unused(at, waits, async (file, held) => {
      await this.#ctx.files.unlink(at.path)
      await file.forgetChanges(held)
    })
  }
  async rename(from: FilePlace, to: FilePlace, waits?: TellWait): Promise<void> {
    await this.#unused(from, waits, () => this.#ctx.files.renameToFree(from.path, to.path))
  }
  /** Runs when no other program has the mailbox open or is at work on it. */
  async #unused(at: FilePlace, waits: TellWait | undefined, work: (file: MailboxFile, held: HeldFile) => Promise<void>): Promise<void> {
    const { signal } = new AbortController()
    const file = new MailboxFile(at, this.#ctx)
    const found = await file.locked('alone', signal, sayWaits(waits), async (held) => {
      if (!held.owner) throw new MailError('in-use', `Mailbox ${at.path} is in use by another process`)
      this.#ctx.facts.ends(at.path, nowSeconds(this.#ctx.clock))
      await work(file, held)
      return true
    })
    if (found === undefined) throw new MailError('not-found', `${at.path} is gone`)
    if (this.#ctx.mailbox.durability === 'full') await this.#ctx.files.syncDirectory(folderOf(at.path))
  }
}
