import { MailError, failedWith, type Delivery, type Examined, type FilePlace, type Files, type FileStat, type MailboxFormat, type MailboxSource, type MailUser } from 'mailwright/api'
import { Beginnings } from '../shared/beginnings.js'
import { removeEmptyFolder } from '../shared/folders.js'
import { folderOf, nameOf } from '../shared/locks/lock-context.js'
import { sayWaits } from '../shared/locks/wait-lines.js'
import { nowSeconds } from '../shared/changes/state-directory.js'
import { numberOf } from '../shared/numbered-files.js'
import { asRefusal } from '../shared/refusal.js'
import { INCOMING, SEQUENCES, type MhContext, type MhParts } from './context.js'
import { MhDelivery } from './delivery.js'
import { examineMh } from './examine.js'
import { MhFolder } from './folder.js'
import { mhPath, type MhSettings } from './profile.js'
import { RecordFile } from './record.js'
import { MhSource } from './source.js'

/** What the format is told by the site. */
export interface MhOptions extends MhSettings {
  /** The folder `inbox` is the INBOX of a user who has it. */
  readonly allowInbox: boolean
}
/** What a removed mailbox is called until its messages are gone. */
const REMOVED = '.mailwright-removed-'
/** Profiles are read again after this time. */
const REMEMBERED_MS = 10_000

/** Folders of MH: any folder below the MH path of its user is a mailbox. */
export class MhFormat implements MailboxFormat {
  readonly #ctx: MhContext
  readonly #options: MhOptions
  readonly #paths = new Map<string, { readonly path: string | undefined; readonly untilMs: number }>()
  constructor(parts: MhParts, options: MhOptions) {
    this.#ctx = { ...parts, beginnings: new Beginnings() }
    this.#options = options
  }
  async #path(user: MailUser): Promise<string | undefined> {
    const key = `${user.name}\0${user.home ?? ''}`
    const known = this.#paths.get(key)
    if (known !== undefined && known.untilMs > this.#ctx.clock.steady()) return known.path
    const path = await mhPath(this.#ctx.files, user, this.#options)
    if (this.#paths.size > 1000) this.#paths.clear()
    this.#paths.set(key, { path, untilMs: this.#ctx.clock.steady() + REMEMBERED_MS })
    return path
  }
  root(user: MailUser): Promise<string | undefined> {
    return this.#path(user)
  }
  async recognise(at: FilePlace, _signal?: AbortSignal, seen?: FileStat): Promise<'mine' | 'not-mine'> {
    if (seen !== undefined && seen.kind !== 'directory') return 'not-mine'
    const path = await this.#path(at.user)
    if (path === undefined || !at.path.startsWith(`${path}/`)) return 'not-mine'
    if (!at.path.slice(path.length + 1).split('/').every((part) => numberOf(part) === undefined)) return 'not-mine'
    return (await this.#ctx.files.stat(at.path))?.kind === 'directory' ? 'mine' : 'not-mine'
  }
  /** Below the MH paths that were asked for; LIST opens no profile. */
  claims({ path, names }: { readonly path: string; readonly names: readonly string[] }): 'mailbox' | 'inside' | undefined {
    // A mailbox that is being removed may stand beside the first ones, where a number is nothing of ours.
    if (nameOf(path).startsWith(REMOVED)) return this.#isMh(path) ? 'inside' : undefined
    if (numberOf(nameOf(path)) !== undefined) return this.#isMh(folderOf(path)) ? 'inside' : undefined
    return this.#isMh(path) && !names.includes('.mixmeta') && !names.includes('.mxindex') ? 'mailbox' : undefined
  }
  #isMh(folder: string): boolean {
    for (const { path } of this.#paths.values()) if (path !== undefined && folder.startsWith(`${path}/`)) return true
    return false
  }
  owns(fileName: string): boolean {
    return isOwn(fileName)
  }
  async inbox(user: MailUser): Promise<FilePlace | undefined> {
    if (!this.#options.allowInbox) return undefined
    const path = await this.#path(user)
    if (path === undefined || (await this.#ctx.files.stat(`${path}/inbox`))?.kind !== 'directory') return undefined
    const { fileMode, directoryMode } = this.#ctx.mailbox
    return { path: `${path}/inbox`, user, fileMode, directoryMode }
  }
  async create(at: FilePlace): Promise<void> {
    const { files, mailbox } = this.#ctx
    const path = await this.#path(at.user)
    if (path === undefined) throw new MailError('unsupported', `Can't create mailbox ${at.path}: ${this.#options.profile} not found, mh format names disabled`)
    if (numberOf(nameOf(at.path)) !== undefined || !at.path.startsWith(`${path}/`)) throw new MailError('denied', `Can't create mailbox ${at.path}: invalid MH-format name`)
    await files.makeDirectory(at.path, at.directoryMode)
    const folder = new MhFolder(at, this.#ctx)
    try {
      await this.#forget(at, at.path)
      // UIDVALIDITY is told with the mailbox, and must not change.
      await folder.locked(new AbortController().signal, sayWaits(undefined), async () => undefined)
    } catch (error) {
      // CREATE was refused; with messages of somebody else in it the folder stays.
      await files.removeDirectory(at.path).catch(() => undefined)
      throw error
    } finally {
      await folder.close()
    }
    if (mailbox.durability === 'full') await files.syncDirectory(folderOf(at.path))
  }
  /** What was remembered of another folder with this inode. */
  async #forget(at: FilePlace, path: string): Promise<void> {
    const stat = await this.#ctx.files.stat(path)
    if (stat === undefined) return
    await unlinked(this.#ctx.files, RecordFile.pathOf(this.#ctx, at.user, stat))
  }
  async open(at: FilePlace): Promise<MailboxSource> {
    return new MhSource(at, true, this.#ctx)
  }
  async *examine(at: FilePlace, signal: AbortSignal): AsyncGenerator<Examined> {
    if ((await this.recognise(at)) === 'mine') yield* examineMh(at, this.#ctx.files, signal)
  }
  async append(at: FilePlace): Promise<Delivery> {
    return new MhDelivery(at, this.#ctx)
  }
  /** Messages, those that MH calls removed, and the sequences; the folder stays when other mailboxes are in it. */
  async remove(at: FilePlace): Promise<void> {
    const { beginnings, clock, files, mailbox } = this.#ctx
    const durable = mailbox.durability === 'full'
    try {
      const entries = await files.list(at.path)
      const foreign = entries.find(({ name, kind }) => kind !== 'directory' && !isOwn(name))
      if (foreign !== undefined) throw new MailError('denied', `Can't delete mailbox ${at.path}: it holds ${foreign.name}, which is no message`)
      beginnings.ends(at.path, nowSeconds(clock))
      // At once, so that a crash leaves a mailbox or none; what holds others is emptied file by file.
      const whole = entries.every(({ kind }) => kind !== 'directory')
      const path = whole ? `${folderOf(at.path)}/${REMOVED}${(await files.stat(at.path))?.inode ?? 0}` : at.path
      if (whole) {
        await files.rename(at.path, path)
        const came = (await files.list(path)).find(({ name, kind }) => kind === 'directory' || !isOwn(name))
        if (came !== undefined) {
          await files.renameToFree(path, at.path)
          throw new MailError('in-use', `Can't delete mailbox ${at.path}: ${came.name} came into it meanwhile`)
        }
        if (durable) await files.syncDirectory(folderOf(at.path))
        await this.#forget(at, path)
      }
      await this.#empty(path, durable)
    } catch (error) {
      throw asRefusal(error, at.path)
    }
    await this.#sweep(folderOf(at.path), durable)
  }
  /** Removes messages, also those that came while others went, and the folder when nothing else is in it. */
  async #empty(path: string, durable: boolean): Promise<void> {
    const { files } = this.#ctx
    for (const { name, kind } of await files.list(path)) if (kind !== 'directory' && isOwn(name)) await unlinked(files, `${path}/${name}`)
    await removeEmptyFolder(files, path, durable)
  }
  /** Mailboxes that somebody was stopped from removing. The one that was asked for is gone, whatever becomes of them. */
  async #sweep(folder: string, durable: boolean): Promise<void> {
    const entries = await this.#ctx.files.list(folder).catch(() => [])
    for (const { name, kind } of entries) if (kind === 'directory' && name.startsWith(REMOVED)) await this.#empty(`${folder}/${name}`, durable).catch(() => undefined)
  }
  /** Mailboxes below it move along. */
  async rename(from: FilePlace, to: FilePlace): Promise<void> {
    const { beginnings, clock, files, mailbox } = this.#ctx
    const path = await this.#path(to.user)
    // Elsewhere it would be a folder of files, and no mailbox any more.
    if (path === undefined || !to.path.startsWith(`${path}/`) || numberOf(nameOf(to.path)) !== undefined) throw new MailError('denied', `Can't rename to mailbox ${to.path}: invalid MH-format name`)
    beginnings.ends(from.path, nowSeconds(clock))
    await files.renameToFree(from.path, to.path)
    if (mailbox.durability !== 'full') return
    await files.syncDirectory(folderOf(to.path))
    if (folderOf(from.path) !== folderOf(to.path)) await files.syncDirectory(folderOf(from.path))
  }
}
/** Names that belong to a mailbox and go with it. */
function isOwn(name: string): boolean {
  return numberOf(name) !== undefined || /^,\d+$/.test(name) || name === SEQUENCES || name === '.mh_sequence' || name.startsWith(INCOMING)
}
/** Removes a file that may be gone already. */
async function unlinked(files: Files, path: string): Promise<void> {
  try {
    await files.unlink(path)
  } catch (error) {
    if (!failedWith(error, 'ENOENT', 'ENOTDIR')) throw error
  }
}
