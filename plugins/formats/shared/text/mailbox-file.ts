import { MailError, failedWith, type FilePlace, type FileStat, type OpenFile } from 'mailwright/api'
import { reasonOf, type Say } from '../locks/lock-context.js'
import { openLocked, type LockedFile } from '../locks/mailbox-lock.js'
import { inTurn } from '../locks/wait-lines.js'
import { nameLockPath, takeNameLock, type NameLock } from '../locks/name-lock.js'
import type { ContentWriter } from '../content-writer.js'
import { SafeChanges } from '../changes/safe-changes.js'
import { beginningOf } from './beginning.js'
import type { TextContext } from './context.js'
import { rewrite, type RewriteWish, type Rewritten } from './rewrite.js'
import { SettledSeconds } from './settled-seconds.js'

/**
 * How much of the mailbox an operation needs. `shared` reads, `append` writes at the end, `owner` may rewrite, and asks a program
 * that has the mailbox open to give way; `alone` may rewrite if nobody has it open.
 */
export type Access = 'shared' | 'append' | 'owner' | 'alone'

/** A mailbox file under its locks, for the time of one operation. */
export interface HeldFile {
  readonly file: OpenFile
  readonly stat: FileStat
  /** Whether it may be rewritten: the owner lock is ours. Otherwise another program has the mailbox open. */
  readonly owner: boolean
  /** Tells the last change by this server's processes; 0 where they leave no trace. */
  mark: number
}

/** What locking and changing a file needs of the host. */
type FileContext = Pick<TextContext, 'dialect' | 'files' | 'clock' | 'locks' | 'turns' | 'mailbox' | 'recognised'>

/** Locks, recovery and rewriting of one mailbox file. */
export class MailboxFile {
  readonly path: string
  readonly #ctx: FileContext
  readonly #changes: SafeChanges
  readonly #seconds = new SettledSeconds()

  constructor(place: FilePlace, ctx: FileContext) {
    this.path = place.path
    this.#ctx = ctx
    this.#changes = new SafeChanges(place, { ...ctx, random: ctx.locks.random })
  }

  /** Runs with the file locked; turns of this process come before the locks. Undefined when there is no file. */
  async locked<T>(access: Access, signal: AbortSignal, say: Say, work: (held: HeldFile) => Promise<T>): Promise<T | undefined> {
    const { locks, clock } = this.#ctx
    return await inTurn(this.#ctx, this.path, say, async (spoken) => {
      await locks.courtesy.rest(this.path, signal)
      const deadline = clock.steady() + locks.settings.dotlockTimeoutMs
      let write = access !== 'shared'
      for (;;) {
        const end = await this.#locked(access, write, signal, spoken, work)
        if (end === undefined) return undefined
        if (end !== 'interrupted' && end !== 'replaced') return end.done
        write ||= end === 'interrupted'
        if (clock.steady() >= deadline) throw new MailError('in-use', `${this.path} is replaced by another program all the time`)
      }
    })
  }
  /** Once, with locks for reading or for writing. Whether they are the right ones is known only under them: what they are waited for changes the file. */
  async #locked<T>(access: Access, write: boolean, signal: AbortSignal, say: Say, work: (held: HeldFile) => Promise<T>): Promise<{ readonly done: T } | 'interrupted' | 'replaced' | undefined> {
    const stat = await this.#ctx.files.stat(this.path)
    // A folder or a pipe in its place is no mailbox either.
    if (stat?.kind !== 'file') return undefined
    await this.#mustBeOurs(stat)
    const name: NameLock = write ? await takeNameLock(this.#ctx.locks, stat, { ask: access === 'owner' }, signal, say) : { state: 'unavailable' }
    try {
      const held = await this.#open(write ? 'exclusive' : 'shared', signal, say)
      if (held === undefined) return undefined
      try {
        if (write && (held.stat.inode !== stat.inode || held.stat.device !== stat.device)) return 'replaced'
        const { interrupted, mark } = await this.#changes.look(held.stat)
        if (interrupted && !write) return 'interrupted'
        // Another program that has the mailbox open would take a finished rewrite for damage; it waits.
        const owner = write && (name.state === 'locked' || name.state === 'unavailable')
        // And nothing may be written over what it still has to write.
        if (interrupted && !owner) throw new MailError('in-use', `${this.path}: an interrupted change is finished when no other program has the mailbox open`)
        const recovered = owner && interrupted ? await this.#changes.recover(held.file, held.stat, say) : undefined
        return { done: await work({ file: held.file, owner, stat: recovered?.stat ?? held.stat, mark: recovered?.mark ?? mark }) }
      } finally {
        await held.close()
      }
    } finally {
      if (name.state === 'locked') await name.release()
    }
  }
  /**
   * Another file in its place may be a mailbox of another format: who has that open keeps locks on it for hours, for which everybody would wait in vain.
   */
  async #mustBeOurs(stat: FileStat): Promise<void> {
    const { recognised } = this.#ctx
    if (stat.size === 0 || recognised.isSame(this.path, stat)) return
    // What cannot be read is told by whoever opens it.
    const begins = await beginningOf(this.#ctx, this.path, stat.size).catch(() => undefined)
    if (begins === 'other') throw new MailError('corrupt', `${this.path} is not in valid mailbox format`)
    if (begins === 'mailbox') recognised.remember(this.path, stat)
  }
  /** Whether another program has the mailbox open for writing; as `owner` it is asked to give it up before. */
  async heldElsewhere(access: 'owner' | 'alone', signal: AbortSignal, say: Say): Promise<boolean> {
    const { files, locks } = this.#ctx
    const stat = await files.stat(this.path)
    // Mostly there is no lock, which one look tells.
    if (stat === undefined || (await files.lstat(nameLockPath(locks.settings.lockDirectory, stat))) === undefined) return false
    return (await this.locked(access, signal, say, ({ owner }) => Promise.resolve(!owner))) ?? false
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

  /** The mailbox was removed; what is kept for its next changes goes with it. */
  forgetChanges({ stat }: HeldFile): Promise<void> {
    return this.#changes.forget(stat)
  }
  /** Rewrites in place, in the same inode. */
  rewrite(held: HeldFile, size: number, wish: RewriteWish, signal: AbortSignal): Promise<Rewritten> {
    const { layout, base, validity, last } = wish
    // What the first message says of the mailbox must be kept by something; what the file does not say of it is not lost either.
    const said = base.kind === 'none' || (base.validity === validity && base.last === last)
    const cutFrom = layout.count > 0 && said ? layout.endOf(0) : size
    return this.#changes.change(held, { kind: 'rewrite', size, start: 0, cutFrom }, (w) => rewrite(held.file, w, wish, signal))
  }
  /** Writes to the end, all or nothing. */
  append<T>(held: HeldFile, size: number, write: (w: ContentWriter) => Promise<T>): Promise<T> {
    return this.#changes.change(held, { kind: 'append', size, start: size }, write)
  }
  /** 0 … 65535. */
  #lot(): number {
    const [high = 0, low = 0] = this.#ctx.locks.random(2)
    return high * 256 + low
  }
  /**
   * After a read-write access nothing looks like new mail any more. The part of a second is drawn by lot: it tells two
   * writes apart that happen at the same time and leave the same size.
   */
  async settleTimes({ file, stat }: HeldFile): Promise<void> {
    const now = this.#ctx.clock.now()
    await this.#times(file, now, this.#seconds.next(now, stat.mtimeMs) * 1000 + this.#lot() / 65.536)
  }
  /** The same for an access that wrote nothing: others should not find a change where there is none. */
  async settleIfNew(held: HeldFile): Promise<void> {
    if (held.stat.atimeMs <= held.stat.mtimeMs) await this.settleTimes(held)
  }
  /** Reading must not hide new mail from those who look at the times. Returns the state in which the file is left. */
  async keepTimes(file: OpenFile, before: FileStat): Promise<FileStat> {
    const now = await file.stat()
    if (Math.max(before.ctimeMs, before.mtimeMs) <= before.atimeMs || now.atimeMs === before.atimeMs) return now
    await this.#times(file, before.atimeMs, before.mtimeMs)
    return await file.stat()
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
