import { MailError, type FilePlace, type FileStat, type OpenFile } from 'mailwright/api'
import { failedWith, folderOf, reasonOf, type Say } from '../shared/lock-context.js'
import { openLocked, type LockedFile } from '../shared/mailbox-lock.js'
import { tryNameLock, type NameLock } from '../shared/name-lock.js'
import { stateDirectory, type UnixContext } from './context.js'
import { applyRedo, createRedo, recover, RedoWriter, redoPlaces, type RedoPlaces } from './redo.js'
import { rewrite, type RewriteWish, type Rewritten } from './rewrite.js'

/** How much of the mailbox an operation needs. `shared` reads, `append` writes at the end, `owner` may rewrite. */
export type Access = 'shared' | 'append' | 'owner'

/** A mailbox file under its locks, for the time of one operation. */
export interface HeldFile {
  readonly file: OpenFile
  readonly stat: FileStat
  /** Whether it may be rewritten: the owner lock is ours. Otherwise another program has the mailbox open. */
  readonly owner: boolean
}

/** Locks, recovery and rewriting of one mailbox file. */
export class MailboxFile {
  readonly path: string
  readonly #place: FilePlace
  readonly #ctx: UnixContext

  constructor(place: FilePlace, ctx: UnixContext) {
    this.path = place.path
    this.#place = place
    this.#ctx = ctx
  }

  /** Runs with the file locked; turns of this process come before the locks. Undefined when there is no file. */
  async locked<T>(access: Access, signal: AbortSignal, say: Say, work: (held: HeldFile) => Promise<T>): Promise<T | undefined> {
    return this.#ctx.turns.run(this.path, async () => {
      const stat = await this.#ctx.files.stat(this.path)
      if (stat === undefined) return undefined
      if (stat.kind !== 'file') throw new MailError('unsupported', `${this.path} is no file`)
      const interrupted = await this.#hasRedo(redoPlaces(this.path, stateDirectory(this.#ctx.mailbox, this.#place.user), stat))
      const write = access !== 'shared' || interrupted
      const name: NameLock = write ? await tryNameLock(this.#ctx.locks, stat, say) : { state: 'unavailable' }
      try {
        const held = await this.#open(write ? 'exclusive' : 'shared', signal, say)
        if (held === undefined) return undefined
        try {
          // Another program that has the mailbox open would take a finished rewrite for damage; it waits.
          const owner = write && name.state !== 'busy'
          const stat = owner && interrupted ? await this.#recover(held, say) : held.stat
          return await work({ file: held.file, stat, owner })
        } finally {
          await held.close()
        }
      } finally {
        if (name.state === 'locked') await name.release()
      }
    })
  }
  async #open(mode: 'shared' | 'exclusive', signal: AbortSignal, say: Say): Promise<LockedFile | undefined> {
    try {
      return await openLocked(this.#ctx.locks, this.path, mode, signal, say)
    } catch (error) {
      if (failedWith(error, 'ENOENT')) return undefined
      if (failedWith(error, 'EACCES', 'EPERM')) throw new MailError('denied', `${this.path}: ${reasonOf(error)}`, { cause: error })
      if (failedWith(error, 'EROFS')) throw new MailError('read-only', `${this.path}: ${reasonOf(error)}`, { cause: error })
      throw error
    }
  }
  async #hasRedo(places: RedoPlaces): Promise<boolean> {
    const { files } = this.#ctx
    return (await files.lstat(places.beside)) !== undefined || (await files.lstat(places.fallback)) !== undefined
  }
  async #recover(held: LockedFile, say: Say): Promise<FileStat> {
    const places = redoPlaces(this.path, stateDirectory(this.#ctx.mailbox, this.#place.user), held.stat)
    const found = await recover(this.#ctx.files, places, held.file, this.durable)
    if (found.kind === 'refused') say('warning', `Mailbox ${this.path} was changed after an interrupted rewrite; what was to be written is kept in ${found.path}`)
    return held.file.stat()
  }
  get durable(): boolean {
    return this.#ctx.mailbox.durability === 'full'
  }

  /** Rewrites in place, in the same inode, so that a crash at any point leaves every message. */
  async rewrite(held: HeldFile, size: number, wish: RewriteWish, signal: AbortSignal): Promise<Rewritten> {
    const { files } = this.#ctx
    const places = redoPlaces(this.path, stateDirectory(this.#ctx.mailbox, this.#place.user), held.stat)
    let redo: OpenFile
    try {
      redo = await createRedo(files, places)
    } catch (error) {
      throw outOfRoom(error)
    }
    let changing = false
    try {
      const w = new RedoWriter(redo, held.file, 0)
      const done = await rewrite(held.file, w, wish, signal)
      if (w.changed || w.at !== size) {
        const trailer = await w.finish({ device: held.stat.device, inode: held.stat.inode, size })
        if (this.durable) {
          await redo.sync()
          await files.syncDirectory(folderOf(redo.path))
        }
        changing = true
        await applyRedo(redo, held.file, trailer, this.durable)
      }
      changing = false
      return done
    } catch (error) {
      throw outOfRoom(error)
    } finally {
      await redo.close()
      // While the mailbox is half written the redo file is its only whole copy: the next operation finishes the work.
      if (!changing) await files.unlink(redo.path)
    }
  }

  /** After a read-write access nothing looks like new mail any more. */
  async settleTimes(file: OpenFile): Promise<void> {
    const now = this.#ctx.clock.now()
    await this.#times(file, now, Math.min((await file.stat()).mtimeMs, now - 1000))
  }
  /** Reading must not hide new mail from those who look at the times. */
  async keepTimes(file: OpenFile, before: FileStat): Promise<void> {
    const fresh = Math.max(before.ctimeMs, before.mtimeMs) > before.atimeMs
    if (fresh && (await file.stat()).atimeMs !== before.atimeMs) await this.#times(file, before.atimeMs, before.mtimeMs)
  }
  async #times(file: OpenFile, atimeMs: number, mtimeMs: number): Promise<void> {
    try {
      await file.setTimes(atimeMs, mtimeMs)
    } catch (error) {
      // Only the owner may, and a read-only file system never.
      if (!failedWith(error, 'EPERM', 'EACCES', 'EROFS')) throw error
    }
  }
}

/** A full disk is the mailbox's trouble, not a bug. */
export function outOfRoom(error: unknown): unknown {
  if (failedWith(error, 'ENOSPC')) return new MailError('unavailable', `Unable to extend mailbox: ${reasonOf(error)}`, { cause: error })
  if (failedWith(error, 'EDQUOT', 'EFBIG')) return new MailError('over-quota', `Unable to extend mailbox: ${reasonOf(error)}`, { cause: error })
  return error
}
