import { MailError, failedWith, type Clock, type FilePlace, type Files, type FileStat, type Logger, type MailboxSettings, type OpenFile } from 'mailwright/api'
import type { ContentWriter } from '../content-writer.js'
import { folderOf, reasonOf, type Say } from '../locks/lock-context.js'
import { allOf, applyRedo, takeRoom, undoAppend } from './redo-apply.js'
import { HEAD, MAGIC, UNDO, UNDO_MAGIC, type ChangeKind, type Staged } from './redo-format.js'
import { clearRedo, crossOut, forgetRedo, lookAtRedo, openRedo, redoPlaces, ROOM, shortenRedo, type OpenRedo } from './redo-places.js'
import { PlanWriter } from './redo-plan.js'
import { recover } from './redo-recovery.js'
import { RedoWriter } from './redo-writer.js'
import { stateDirectory } from './state-directory.js'
import { mustTakeOctets, roomForSteps } from './steps-room.js'
import { Stepwise } from './stepwise.js'

/** What changing a mailbox file needs of the host. */
export interface ChangeContext {
  readonly files: Files
  readonly clock: Clock
  readonly random: (octets: number) => Uint8Array
  readonly mailbox: Pick<MailboxSettings, 'stateDirectory' | 'durability'>
  readonly locks: { readonly logger: Pick<Logger, 'warn'> }
}
/** A mailbox file under the locks that let it be changed. */
export interface ChangedFile {
  readonly file: OpenFile
  readonly stat: FileStat
  /** Tells the last change by this server's processes; 0 where they leave no trace. */
  mark: number
  /**
   * Where it is there, a large change may leave its redo file as long as it is, which is four milliseconds for ten megabytes that nobody waits for, and
   * this says so then: `giveBackRoom` is to follow.
   */
  owesRoom?: boolean
}

/** What is changed. */
export interface Change {
  readonly kind: ChangeKind
  /** Of the mailbox as it is. */
  readonly size: number
  /** Where the first octet of the new content goes. */
  readonly start: number
  /**
   * Behind this place the mailbox may be cut wherever nothing follows that stays: it is whole then, only not all that was to go is gone. Where that is
   * not so nothing is said.
   */
  readonly cutFrom?: number
}
type Build<T> = (w: ContentWriter) => Promise<T>

/** Changes of one mailbox file, each whole or not at all, by way of its redo file. */
export class SafeChanges {
  readonly #place: FilePlace
  readonly #ctx: ChangeContext
  readonly #state: string
  /** Mark of the last change that is known to be crossed out on the disk. */
  #settled = 0

  constructor(place: FilePlace, ctx: ChangeContext) {
    this.#place = place
    this.#ctx = ctx
    this.#state = stateDirectory(ctx.mailbox, place.user)
  }
  get durable(): boolean {
    return this.#ctx.mailbox.durability === 'full'
  }

  /** Whether a change was interrupted, and the mark of the last one. `crossedOut`: a mark of which nothing is left. */
  look(stat: Pick<FileStat, 'device' | 'inode'>, crossedOut?: number): Promise<{ readonly interrupted: boolean; readonly mark: number }> {
    return lookAtRedo(this.#ctx.files, redoPlaces(this.#place, this.#state, stat), crossedOut)
  }
  /** The first octets of what an interrupted change was to write; those of a mailbox that it was to begin. */
  async begun(stat: FileStat, octets: number): Promise<Buffer | undefined> {
    const { files } = this.#ctx
    const { first, second } = redoPlaces(this.#place, this.#state, stat)
    for (const path of [first, second]) {
      const there = await files.lstat(path)
      if (there?.kind !== 'file' || there.size === 0) continue
      try {
        const redo = await files.open(path, { noFollow: true })
        try {
          const head = Buffer.alloc(HEAD + octets)
          const got = await redo.read(head, 0)
          const magic = head.toString('latin1', 0, MAGIC.length)
          // What is crossed out was finished, of this mailbox or of one that had its inode before.
          if (got > HEAD && (magic === MAGIC || magic === UNDO_MAGIC)) return head.subarray(HEAD, got)
        } finally {
          await redo.close()
        }
      } catch (error) {
        // It is another user's, or was finished just now.
        if (!failedWith(error, 'ENOENT', 'EACCES', 'EPERM', 'ELOOP')) throw error
      }
    }
    return undefined
  }
  /** Finishes what was interrupted. The caller may write. */
  async recover(file: OpenFile, before: FileStat, say: Say): Promise<{ readonly stat: FileStat; readonly mark: number }> {
    const { files } = this.#ctx
    const places = redoPlaces(this.#place, this.#state, before)
    const found = await recover(files, places, file, { stateDirectory: this.#state, durable: this.durable, mark: this.#mark() })
    const { mark } = await lookAtRedo(files, places)
    if (found.kind === 'refused') {
      const left = found.steps ? 'a part of one message may be there twice, and what was to be moved is noted in' : 'what was to be written is kept in'
      say('warning', `Mailbox ${this.#place.path} was changed after an interrupted rewrite; ${left} ${found.path}`)
    }
    return { stat: await file.stat(), mark }
  }

  /** The mailbox was removed, with nothing interrupted; whoever did it has the file open, and its locks. */
  forget(stat: Pick<FileStat, 'device' | 'inode'>): Promise<void> {
    return forgetRedo(this.#ctx.files, redoPlaces(this.#place, this.#state, stat), this.#state)
  }

  /** What large changes left of their room is given back; under the locks. */
  giveBackRoom(stat: Pick<FileStat, 'device' | 'inode'>): Promise<void> {
    return shortenRedo(this.#ctx.files, redoPlaces(this.#place, this.#state, stat), this.#state)
  }

  /**
   * To be called before octets are written another way. What a finished change left in its redo file is crossed out there, but perhaps not on the
   * disk yet: after a crash it would be done once more, over octets that happen to be again as that change found them.
   */
  async settle(held: ChangedFile): Promise<void> {
    if (!this.durable || (held.mark !== 0 && held.mark === this.#settled)) return
    const { files } = this.#ctx
    const { first, second } = redoPlaces(this.#place, this.#state, held.stat)
    for (const path of [first, second]) {
      try {
        if (path.startsWith(`${this.#state}/`)) {
          const redo = await files.open(path, { noFollow: true })
          await redo.sync().finally(() => redo.close())
        } else await files.syncDirectory(folderOf(path))
      } catch (error) {
        // There is none, or it is another user's, who alone finishes what it says.
        if (!failedWith(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP')) throw error
      }
    }
    this.#settled = held.mark
  }

  /**
   * A crash at any point leaves the mailbox as it was, or as it is to be, when the next operation has looked at it. Where there is no room to write
   * down all that a rewrite moves, it is made in steps; `build` says once more then what is wanted.
   */
  async change<T>(held: ChangedFile, what: Change, build: Build<T>): Promise<T> {
    const state = this.#state
    const places = redoPlaces(this.#place, state, held.stat)
    try {
      const redo = await openRedo(this.#ctx.files, places, state)
      // While the mailbox is half written the redo file alone says what it is to be: the next operation, of whatever process, goes on with it.
      const work = { begun: false }
      let keepsAll = false
      try {
        const done = await this.#whole(held, what, build, redo, work).catch((error: unknown) => {
          if (work.begun || what.kind === 'append' || !isFull(error)) throw error
          return this.#inSteps(held, what, build, redo, work, error)
        })
        keepsAll = held.owesRoom !== undefined
        return done
      } catch (error) {
        // What failed must not happen after all at the next start.
        if (!work.begun && this.durable) await forget(redo)
        throw error
      } finally {
        if (!work.begun) await this.#clear(held, redo, places.first, keepsAll)
        await this.#close(held, redo.file)
      }
    } catch (error) {
      throw outOfRoom(error)
    }
  }
  /**
   * It is done, or is not to be: whoever is told otherwise since the redo file cannot be cleared does it twice. Whoever looks at the mailbox next finds that all of it
   * is there, and clears it.
   */
  async #clear(held: ChangedFile, { file }: OpenRedo, first: string, keepsAll: boolean): Promise<void> {
    const mark = this.#mark()
    held.mark = 0
    try {
      if (await clearRedo(this.#ctx.files, file, this.#state, mark, keepsAll)) held.owesRoom = true
    } catch (error) {
      this.#ctx.locks.logger.warn(`Mailbox ${this.#place.path} was changed, but ${file.path}, which says what was to be changed, cannot be cleared; the next access to the mailbox tries again: ${reasonOf(error)}`)
      return
    }
    if (file.path === first && file.path.startsWith(`${this.#state}/`)) held.mark = mark
  }
  /** A file of the network says here that it could not be cleared. */
  async #close(held: ChangedFile, file: OpenFile): Promise<void> {
    try {
      await file.close()
    } catch (error) {
      held.mark = 0
      this.#ctx.locks.logger.warn(`Mailbox ${this.#place.path}: ${file.path} close failure: ${reasonOf(error)}`)
    }
  }
  /** All new octets are in the redo file before the first is in the mailbox. */
  async #whole<T>(held: ChangedFile, { kind, size, start }: Change, build: Build<T>, redo: OpenRedo, work: { begun: boolean }): Promise<T> {
    const w = new RedoWriter(redo.file, held.file, start, redo.room, this.durable)
    const { done, staged } = await this.#staged(w, held, { kind, size }, build)
    if (staged === undefined) {
      if (w.at < size) await this.#cut(held, w.at)
      return done
    }
    // A process whose files may not be so long (RLIMIT_FSIZE) could not finish what it begins, and nobody could read the mailbox then.
    if (kind === 'rewrite' && size > 0) await mustTakeOctets(held.file, size, false)
    await this.#stage(redo)
    work.begun = true
    const refused = kind === 'rewrite' && w.at > size ? await takeRoom(held.file, size, w.at, this.durable) : undefined
    if (refused !== undefined) {
      work.begun = false
      throw refused
    }
    try {
      await applyRedo(redo.file, held.file, staged, this.durable)
    } catch (error) {
      if (kind === 'append') work.begun = !(await this.#takenBack(held, staged, redo))
      throw error
    }
    work.begun = false
    w.release()
    return done
  }
  /** All that is to be, in the redo file; undefined where nothing is to be written. */
  async #staged<T>(w: RedoWriter, { stat: { device, inode } }: ChangedFile, { kind, size }: Pick<Change, 'kind' | 'size'>, build: Build<T>): Promise<{ readonly done: T; readonly staged: Staged | undefined }> {
    try {
      const done = await build(w)
      return { done, staged: w.changed ? await w.finish(kind, { device, inode, size }) : undefined }
    } catch (error) {
      await w.drop()
      throw error
    }
  }
  /** False: the append that failed could not be taken back now. The redo file then says that it is to be, or is finished after all, which leaves it whole. */
  async #takenBack(held: ChangedFile, { trailer, old }: Staged, { file }: OpenRedo): Promise<boolean> {
    try {
      await undoAppend(held.file, trailer, old, this.durable)
      return true
    } catch {
      // The failure that led here is told.
    }
    try {
      await file.write([UNDO.octets], UNDO.at)
      if (this.durable) await file.sync()
    } catch {
      // The same.
    }
    return false
  }
  async #inSteps<T>(held: ChangedFile, { size, start, cutFrom }: Change, build: Build<T>, redo: OpenRedo, work: { begun: boolean }, full: unknown): Promise<T> {
    const w = new PlanWriter(start)
    const done = await build(w)
    const { plan } = w
    if (plan.end > size || size === 0) throw full
    await this.settle(held)
    await mustTakeOctets(held.file, size, this.durable)
    let left = size
    let room = await roomForSteps(redo.file, plan, this.durable)
    const cut = Math.max(plan.usedTo, plan.end, cutFrom ?? size)
    if (room === undefined && cut < size) {
      // What goes at the end makes room for the rest.
      await this.#cut(held, cut)
      left = cut
      room = await roomForSteps(redo.file, plan, this.durable)
    }
    if (room === undefined) throw full
    const [a = 0, b = 0, c = 0, d = 0] = this.#ctx.random(4)
    const nonce = (a << 24) | (b << 16) | (c << 8) | d
    const steps = await Stepwise.begin(redo.file, held.file, plan, { stat: held.stat, size: left, from: 0, room, durable: this.durable, nonce })
    await this.#stage(redo)
    work.begun = true
    await steps.run()
    work.begun = false
    await crossOut(redo.file, Math.max(ROOM, redo.room ?? 0))
    if (this.durable) await redo.file.sync()
    return done
  }
  /** The end of a mailbox goes at once or not at all, and takes no room. */
  async #cut(held: ChangedFile, to: number): Promise<void> {
    await this.settle(held)
    await held.file.truncate(to)
    if (this.durable) await held.file.sync()
  }
  /** What the redo file says is on the disk. */
  async #stage({ file, fresh }: OpenRedo): Promise<void> {
    // A new name and what it names go to the disk together: the file system then writes its own journal once.
    if (this.durable) await allOf(fresh ? [file.sync(), this.#ctx.files.syncDirectory(folderOf(file.path))] : [file.sync()])
  }
  #mark(): number {
    const [high = 0, low = 0] = this.#ctx.random(2)
    return Math.floor(this.#ctx.clock.now()) - (high * 256 + low)
  }
}

/** Crosses out, on the disk, what was not begun; the room stays for the next try. */
async function forget({ file, room }: OpenRedo): Promise<void> {
  try {
    await crossOut(file, Math.max(ROOM, room ?? 0)).catch(() => file.truncate(0))
    await file.sync()
  } catch {
    // The failure that led here is told.
  }
}
function isFull(error: unknown): boolean {
  return failedWith(error, 'ENOSPC', 'EDQUOT', 'EFBIG')
}
/** A full disk is the mailbox's trouble, not a bug. */
export function outOfRoom(error: unknown): unknown {
  if (failedWith(error, 'ENOSPC')) return new MailError('unavailable', `Unable to extend mailbox: ${reasonOf(error)}`, { cause: error })
  if (failedWith(error, 'EDQUOT', 'EFBIG')) return new MailError('over-quota', `Unable to extend mailbox: ${reasonOf(error)}`, { cause: error })
  return error
}
/** Whether it is what `outOfRoom` made of a failure. */
export function isOutOfRoom(error: unknown): boolean {
  return error instanceof MailError && isFull(error.cause)
}
