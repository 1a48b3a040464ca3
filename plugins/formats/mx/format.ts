import { MailError, type Delivery, type Examined, type FilePlace, type FileStat, type GivenNumbers, type MailboxFormat, type MailboxSource, type MailUser, type TellWait } from 'mailwright/api'
import { Beginnings } from '../shared/beginnings.js'
import { isWritable, removeEmptyFolder } from '../shared/folders.js'
import { claimMaking, keepMakersAway } from '../shared/making.js'
import { folderOf, nameOf } from '../shared/locks/lock-context.js'
import { sayWaits } from '../shared/locks/wait-lines.js'
import { numberOf } from '../shared/numbered-files.js'
import type { ChangedFile } from '../shared/changes/safe-changes.js'
import { nowSeconds } from '../shared/changes/state-directory.js'
import { INCOMING, INDEX, type MxContext } from './context.js'
import { MxDelivery } from './delivery.js'
import { examineMx } from './examine.js'
import { MxFolder } from './folder.js'
import { headText } from './records.js'
import { MxSource } from './source.js'

/** An index that is not made yet. */
const FRESH = '.mxfresh'

/** Mailboxes in the format mx: a folder with a file per message and an index of flags. */
export class MxFormat implements MailboxFormat {
  readonly #ctx: MxContext
  readonly #beginnings = new Beginnings()
  constructor(ctx: MxContext) {
    this.#ctx = ctx
  }
  async recognise(at: FilePlace, _signal?: AbortSignal, seen?: FileStat): Promise<'mine' | 'not-mine'> {
    if (seen !== undefined && seen.kind !== 'directory') return 'not-mine'
    return (await this.#ctx.files.stat(`${at.path}/${INDEX}`))?.kind === 'file' ? 'mine' : 'not-mine'
  }
  claims({ names }: { readonly path: string; readonly names: readonly string[] }): 'mailbox' | undefined {
    return names.includes(INDEX) ? 'mailbox' : undefined
  }
  owns(fileName: string): boolean {
    return numberOf(fileName) !== undefined || fileName.startsWith('.mx')
  }
  /** `~/INBOX`, when it is a mailbox of this format. */
  async inbox(user: MailUser, _signal: AbortSignal, delivered: string | undefined): Promise<FilePlace | undefined> {
    // Where mail is delivered nothing is taken over: that is INBOX, in whatever format.
    if (user.home === undefined || delivered === `${user.home}/INBOX`) return undefined
    const { fileMode, directoryMode } = this.#ctx.mailbox
    const place = { path: `${user.home}/INBOX`, user, fileMode, directoryMode }
    return (await this.recognise(place)) === 'mine' ? place : undefined
  }
  /** The index comes under its name whole. Names of digits alone are those of messages. */
  async create(at: FilePlace, { uidValidity = this.#beginnings.at(at.path, nowSeconds(this.#ctx.clock)), uidNext = 1 }: GivenNumbers = {}): Promise<void> {
    const { files, mailbox } = this.#ctx
    if (numberOf(nameOf(at.path)) !== undefined) throw new MailError('denied', `Can't create mailbox ${at.path}: invalid MX-format name`)
    const durable = mailbox.durability === 'full'
    const fresh = (await files.stat(at.path)) === undefined
    if (fresh) await files.makeDirectory(at.path, at.directoryMode)
    try {
      const file = await claimMaking(files, at, { fresh: FRESH, made: INDEX })
      try {
        await file.truncate(0)
        await file.write([Buffer.from(headText(uidValidity, uidNext - 1, mailbox.defaultKeywords), 'latin1')], 0)
        if (durable) await file.sync()
        await files.rename(file.path, `${at.path}/${INDEX}`)
      } catch (error) {
        await files.unlink(file.path).catch(() => undefined)
        throw error
      } finally {
        await file.close()
      }
    } catch (error) {
      if (fresh) await files.removeDirectory(at.path).catch(() => undefined)
      throw error
    }
    if (!durable) return
    await files.syncDirectory(at.path)
    await files.syncDirectory(folderOf(at.path))
  }
  async open(at: FilePlace): Promise<MailboxSource> {
    return new MxSource(at, await isWritable(this.#ctx.files, `${at.path}/${INDEX}`), this.#ctx)
  }
  examine(at: FilePlace, signal: AbortSignal): AsyncIterable<Examined> {
    return examineMx(at, this.#ctx.files, signal)
  }
  async append(at: FilePlace): Promise<Delivery> {
    return new MxDelivery(at, this.#ctx)
  }
  /** Without its index it is no mailbox; the folder stays when other mailboxes are in it. */
  async remove(at: FilePlace, waits?: TellWait): Promise<void> {
    const { files, mailbox } = this.#ctx
    const durable = mailbox.durability === 'full'
    const claim = await this.#locked(at, waits, async (folder, held) => {
      const kept = await keepMakersAway(files, at, FRESH)
      try {
        await files.unlink(`${at.path}/${INDEX}`)
        await folder.forgetChanges(held)
        if (durable) await files.syncDirectory(at.path)
        return kept
      } catch (error) {
        await kept?.close()
        throw error
      }
    })
    try {
      for (const { name, kind } of await files.list(at.path)) {
        if (kind === 'file' && (numberOf(name) !== undefined || name.startsWith(INCOMING))) await files.unlink(`${at.path}/${name}`)
      }
      if (claim !== undefined) await files.unlink(claim.path)
    } finally {
      await claim?.close()
    }
    await removeEmptyFolder(files, at.path, durable)
  }
  /** Mailboxes below it move along. */
  async rename(from: FilePlace, to: FilePlace, waits?: TellWait): Promise<void> {
    const { files, mailbox } = this.#ctx
    if (numberOf(nameOf(to.path)) !== undefined) throw new MailError('denied', `Can't rename to mailbox ${to.path}: invalid MX-format name`)
    await this.#locked(from, waits, () => files.renameToFree(from.path, to.path))
    if (mailbox.durability !== 'full') return
    await files.syncDirectory(folderOf(to.path))
    if (folderOf(from.path) !== folderOf(to.path)) await files.syncDirectory(folderOf(from.path))
  }
  #locked<T>(at: FilePlace, waits: TellWait | undefined, work: (folder: MxFolder, held: ChangedFile) => Promise<T>): Promise<T> {
    const folder = new MxFolder(at, this.#ctx)
    return folder.guarded(new AbortController().signal, sayWaits(waits), (held) => {
      this.#beginnings.ends(at.path, nowSeconds(this.#ctx.clock))
      return work(folder, held)
    })
  }
}
