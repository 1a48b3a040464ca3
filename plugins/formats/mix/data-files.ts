import { failedWith } from 'mailwright/api'
import type { FilePlace, FileStat, OpenFile } from 'mailwright/api'
import { backOff, pause } from '../shared/locks/lock-context.js'
import { asRefusal } from '../shared/refusal.js'
import type { MixContext } from './context.js'
import { DataWriter, PIECE, type DataPlace, type OpenData } from './data-writer.js'
import { ReadAlong } from './read-along.js'
import { hex8 } from './records.js'

/** Messages go on to a new file when the old one would become larger. */
export const MOST_DATA = 1 << 20
/** So many octets, which are all in memory then, are written in one call that ends on the disk; of more, each piece goes while the next one is gathered, and a sync follows. */
const ONE_WRITE = 4 * PIECE
/** Data files that are kept open for reading. */
const OPEN_DATA = 64

/** The data file for new messages. */
interface Written extends OpenData {
  readonly inode: number
  /** Every write ends on the disk. */
  readonly synced: boolean
}
/** Files that hold the messages of a mailbox. Octets in one are never overwritten; files go, and new ones come, while nobody reads. */
export class DataFiles {
  readonly #place: FilePlace
  /** Whoever reads holds this file shared. */
  readonly #lockPath: string
  readonly #ctx: MixContext
  readonly #opened = new Map<number, Promise<OpenFile>>()
  /** No longer in use, but somebody may be reading from them. */
  readonly #retired: Promise<OpenFile>[] = []
  /** Of messages that are read one after the other. */
  readonly along: ReadAlong
  #readers = 0
  /** The file of the readers' lock, opened by whoever comes first. */
  #lockFile: Promise<OpenFile> | undefined
  /** The same while it is locked. */
  #locked: OpenFile | undefined
  /** The one that messages were put into last, open for the next. */
  #written: Written | undefined
  constructor(place: FilePlace, lockPath: string, ctx: MixContext) {
    this.#place = place
    this.#lockPath = lockPath
    this.#ctx = ctx
    this.along = new ReadAlong(ctx.clock)
  }
  path(file: number): string {
    return `${this.#place.path}/.mix${hex8(file)}`
  }
  /** Sessions of this process read just now. */
  get isRead(): boolean {
    return this.#readers > 0
  }

  /** Puts messages behind each other into the file for new ones, or into a fresh one when that is full. `octets`: how many. */
  async writer(current: number, sequence: number, octets: number, signal: AbortSignal): Promise<DataWriter> {
    const there = await this.stat(current)
    const at = there?.size ?? 0
    if (at > 0 && at + octets > MOST_DATA) return this.fresh(current, sequence, octets, signal)
    // Nobody may have synced the name of an empty one yet.
    const place = { at, fresh: at === 0, octets, ...this.#howToDisk(octets) }
    const kept = this.#written
    const isKept = kept !== undefined && kept.inode === there?.inode && kept.file === current && kept.synced === place.synced
    return new DataWriter(isKept ? Promise.resolve(kept) : this.#begin(() => this.#openToWrite(current, 'if-missing', place)), place, signal)
  }
  /** Puts messages into a file that is not there yet. */
  fresh(current: number, sequence: number, octets: number, signal: AbortSignal): DataWriter {
    const place = { at: 0, fresh: true, octets, ...this.#howToDisk(octets) }
    const openFree = async (): Promise<Written> => {
      for (let file = Math.max(sequence, current + 1); ; file++) {
        signal.throwIfAborted()
        try {
          return await this.#openToWrite(file, 'new', place)
        } catch (error) {
          if (!failedWith(error, 'EEXIST')) throw error
        }
      }
    }
    return new DataWriter(this.#begin(openFree), place, signal)
  }
  #howToDisk(octets: number): Pick<DataPlace, 'synced' | 'early'> {
    const durable = this.#ctx.mailbox.durability === 'full'
    return { synced: durable && octets <= ONE_WRITE, early: durable && octets > ONE_WRITE }
  }
  async #openToWrite(file: number, create: 'new' | 'if-missing', { synced }: DataPlace): Promise<Written> {
    const open = await this.#ctx.files.open(this.path(file), { write: true, create, mode: this.#place.fileMode, syncWrites: synced })
    try {
      return { file, open, inode: (await open.stat()).inode, synced }
    } catch (error) {
      await open.close()
      throw error
    }
  }
  /** The file for new messages is another one from now on; the one before is closed meanwhile. */
  async #begin(open: () => Promise<Written>): Promise<OpenData> {
    const closing = this.#closeWritten()
    try {
      return (this.#written = await open())
    } finally {
      await closing
    }
  }
  async #closeWritten(): Promise<void> {
    const kept = this.#written
    this.#written = undefined
    if (kept !== undefined) await this.#end(Promise.resolve(kept.open))
  }
  /** Whoever reads holds the metadata shared, so that nobody moves messages. `first`: the data file that `work` will open first. */
  async reading<T>(signal: AbortSignal, first: number | undefined, work: () => Promise<T>): Promise<T> {
    const { clock, locks, files } = this.#ctx
    // Beside the file of the lock. Whatever becomes of it meanwhile, `work` asks for it again, and knows a message by its record.
    if (this.#lockFile === undefined && first !== undefined) this.open(first).catch(() => undefined)
    for (let tries = 0; this.#readers === 0; tries++) {
      signal.throwIfAborted()
      const opening = (this.#lockFile ??= files.open(this.#lockPath))
      let lock: OpenFile
      try {
        lock = await opening
      } catch (error) {
        if (this.#lockFile === opening) this.#lockFile = undefined
        throw asRefusal(error, this.#place.path)
      }
      if (this.#readers > 0) break
      // Closed meanwhile.
      if (this.#lockFile !== opening) continue
      if (lock.lock('flock', 'shared') !== 'busy') {
        this.#locked = lock
        break
      }
      await pause(clock, backOff(locks, tries), signal)
    }
    this.#readers++
    try {
      return await work()
    } finally {
      if (--this.#readers === 0) await this.#unread()
    }
  }
  /** The last reader is done. What was closed meanwhile goes now: the number of a file that is closed under a read may be another's by then. */
  async #unread(): Promise<void> {
    this.#locked?.unlock('flock')
    this.#locked = undefined
    if (this.#lockFile === undefined) this.#retire()
    await this.#closeRetired()
  }
  /** Whoever reads next opens the files anew. */
  #retire(): void {
    if (this.#lockFile !== undefined) this.#retired.push(this.#lockFile)
    this.#lockFile = undefined
    this.#retired.push(...this.#opened.values())
    this.#opened.clear()
  }
  async #closeRetired(): Promise<void> {
    for (const opening of this.#retired.splice(0)) await this.#end(opening)
  }
  /** What was read is right, whatever comes of closing the file; that it was not there is known to who opened it. */
  async #end(opening: Promise<OpenFile>): Promise<void> {
    const file = await opening.catch(() => undefined)
    await file?.close().catch((error: unknown) => this.#ctx.locks.logger.warn('mix.file-not-closed', { path: file.path, error }))
  }
  /** An open data file; undefined when there is none. It stays open for a while. */
  async open(file: number): Promise<OpenFile | undefined> {
    const known = this.#opened.get(file)
    if (known !== undefined) return known.catch(noneIfMissing)
    const opening = this.#ctx.files.open(this.path(file))
    this.#opened.set(file, opening)
    try {
      const opened = await opening
      for (const [oldest, other] of this.#opened) {
        if (this.#opened.size <= OPEN_DATA) break
        if (oldest === file) continue
        this.#opened.delete(oldest)
        this.#retired.push(other)
      }
      if (this.#readers === 0) await this.#closeRetired()
      return opened
    } catch (error) {
      this.#opened.delete(file)
      return noneIfMissing(error)
    }
  }
  /** Forgets a data file that is no more. */
  async #drop(file: number): Promise<void> {
    const known = this.#opened.get(file)
    this.#opened.delete(file)
    if (known !== undefined) await this.#end(known)
  }
  /** A data file without messages goes, or is cut to nothing when new messages go there. */
  async giveUp(file: number, current: boolean): Promise<void> {
    await this.#drop(file)
    if (this.#written?.file === file) await this.#closeWritten()
    if (!current) {
      await this.#ctx.files.unlink(this.path(file))
      return
    }
    const open = await this.#ctx.files.open(this.path(file), { write: true })
    try {
      await open.truncate(0)
    } finally {
      await open.close()
    }
  }
  /** Octets of the file; 0 when there is none. */
  async size(file: number): Promise<number> {
    return (await this.stat(file))?.size ?? 0
  }
  stat(file: number): Promise<FileStat | undefined> {
    return this.#ctx.files.stat(this.path(file))
  }
  /** Readers at work end with the files that they have. */
  async close(): Promise<void> {
    this.along.forget()
    this.#retire()
    await this.#closeWritten()
    if (this.#readers === 0) await this.#closeRetired()
  }
}

function noneIfMissing(error: unknown): undefined {
  if (!failedWith(error, 'ENOENT')) throw error
}
