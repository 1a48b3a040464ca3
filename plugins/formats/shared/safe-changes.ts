import { MailError, type Clock, type FilePlace, type Files, type FileStat, type MailboxSettings, type OpenFile } from 'mailwright/api'
import { failedWith, folderOf, reasonOf, type Say } from './lock-context.js'
import { allOf, applyRedo } from './redo-apply.js'
import { HEAD, type ChangeKind } from './redo-format.js'
import { clearRedo, lookAtRedo, openRedo, redoPlaces } from './redo-places.js'
import { recover } from './redo-recovery.js'
import { RedoWriter } from './redo-writer.js'
import { stateDirectory } from './state-directory.js'

/** What changing a mailbox file needs of the host. */
export interface ChangeContext {
  readonly files: Files
  readonly clock: Clock
  readonly random: (octets: number) => Uint8Array
  readonly mailbox: Pick<MailboxSettings, 'stateDirectory' | 'durability'>
}
/** A mailbox file under the locks that let it be changed. */
export interface ChangedFile {
  readonly file: OpenFile
  readonly stat: FileStat
  /** Tells the last change by this server's processes; 0 where they leave no trace. */
  mark: number
}

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

  /** Whether a change was interrupted, and the mark of the last one. */
  look(stat: FileStat): Promise<{ readonly interrupted: boolean; readonly mark: number }> {
    return lookAtRedo(this.#ctx.files, redoPlaces(this.#place, this.#state, stat))
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
          // What is crossed out was finished, of this mailbox or of one that had its inode before.
          if (got > HEAD && head[0] !== 0) return head.subarray(HEAD, got)
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
    if (found.kind === 'refused') say('warning', `Mailbox ${this.#place.path} was changed after an interrupted rewrite; what was to be written is kept in ${found.path}`)
    return { stat: await file.stat(), mark }
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

  /** A crash at any point leaves the mailbox as it was, or as it is to be. `start` is where the first octet of `build` goes. */
  async change<T>(held: ChangedFile, kind: ChangeKind, size: number, start: number, build: (w: RedoWriter) => Promise<T>): Promise<T> {
    const { files } = this.#ctx
    const state = this.#state
    const places = redoPlaces(this.#place, state, held.stat)
    try {
      const { file: redo, fresh, room } = await openRedo(files, places, state)
      // While the mailbox is half written the redo file is its only whole copy: the next operation finishes the work.
      let keep = false
      try {
        const w = new RedoWriter(redo, held.file, start, room)
        const done = await build(w)
        if (!w.changed && w.at === size) return done
        const staged = await w.finish(kind, { device: held.stat.device, inode: held.stat.inode, size })
        // A new name and what it names go to the disk together: the file system then writes its own journal once.
        if (this.durable) await allOf(fresh ? [redo.sync(), files.syncDirectory(folderOf(redo.path))] : [redo.sync()])
        keep = kind === 'rewrite'
        await applyRedo(redo, held.file, staged, this.durable)
        keep = false
        return done
      } catch (error) {
        // What failed must not happen after all at the next start.
        if (!keep && this.durable) await redo.truncate(0).then(() => redo.sync(), () => undefined)
        throw error
      } finally {
        if (!keep) {
          const mark = this.#mark()
          await clearRedo(files, redo, state, mark)
          held.mark = redo.path === places.first && redo.path.startsWith(`${state}/`) ? mark : 0
        }
        await redo.close()
      }
    } catch (error) {
      throw outOfRoom(error)
    }
  }
  #mark(): number {
    const [high = 0, low = 0] = this.#ctx.random(2)
    return Math.floor(this.#ctx.clock.now()) - (high * 256 + low)
  }
}

/** A full disk is the mailbox's trouble, not a bug. */
export function outOfRoom(error: unknown): unknown {
  if (failedWith(error, 'ENOSPC')) return new MailError('unavailable', `Unable to extend mailbox: ${reasonOf(error)}`, { cause: error })
  if (failedWith(error, 'EDQUOT', 'EFBIG')) return new MailError('over-quota', `Unable to extend mailbox: ${reasonOf(error)}`, { cause: error })
  return error
}
