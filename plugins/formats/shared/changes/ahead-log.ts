import { failedWith, type Boot, type FilePlace, type Files, type FileStat, type OpenFile } from 'mailwright/api'
import { makeFolders } from '../folders.js'
import { closeRead, readSmall } from '../small-read.js'
import { folderOf } from '../locks/lock-context.js'
import { changesIn, headSector, MAGIC, NOTE_AT, noteOctets, proofLength, proofOf, readHead, readNote, readRecords, recordOf, RECORDS, type AheadNote, type AheadRecord, type OctetChanges } from './ahead-format.js'
import { redoPlaces } from './redo-places.js'
import type { ChangeContext } from './safe-changes.js'
import { stateDirectory } from './state-directory.js'

const SUFFIX = '.mailwright-ahead'
/** A log grows in such steps, and keeps so much when it is crossed out. */
const ROOM = 1 << 14
const KEPT = 1 << 16
/** What is more is written to the mailbox at once, and is none of this server's. */
const MOST = 1 << 20
/**
 * So long after it was written a page is on the disk without being asked for (Linux: 35 seconds, unless it is told otherwise). A change that another
 * program made later than this was made to a mailbox that had all of ours.
 */
const WRITTEN_BACK_MS = 120_000
/** More than a record takes from the log into the mailbox. */
const LAID_MS = 10_000
/** Times are set by microseconds, and floating. */
const SAME_MS = 0.0015

/** A log of which the mailbox's pages are perhaps not on the disk yet. */
export interface Pending {
  readonly nonce: number
  readonly records: readonly AheadRecord[]
  readonly end: number
  readonly note: AheadNote
  /** The machine was started anew since, and any page may be lost; or who wrote the last record was stopped before it was in the mailbox. */
  readonly unfinished: boolean
  readonly sameBoot: boolean
}
export interface AheadFound {
  readonly mark: number
  readonly pending: Pending | undefined
}
type Identity = Pick<FileStat, 'device' | 'inode'>

/**
 * Changes of single octets of a mailbox file that are durable before the mailbox is. Whoever writes one holds the mailbox's name lock, and keeps its
 * kernel lock until the log is crossed out, so that no message is moved meanwhile. It lies in the state folder of the user whose mailbox it is; for
 * mailboxes of others there is none.
 */
export class AheadLog {
  readonly #files: Files
  readonly #ctx: ChangeContext
  readonly #place: FilePlace
  readonly #boot: Boot

  private constructor(place: FilePlace, ctx: ChangeContext, boot: Boot) {
    this.#place = place
    this.#ctx = ctx
    this.#files = ctx.files
    this.#boot = boot
  }
  /** Undefined where it is of no use: nothing is synced, or nobody can tell when the machine was started. */
  static of(place: FilePlace, ctx: ChangeContext): AheadLog | undefined {
    const { boot } = ctx.files
    return boot === undefined || ctx.mailbox.durability !== 'full' ? undefined : new AheadLog(place, ctx, boot)
  }
  /** Undefined where there can be none. */
  #path(file: Identity): string | undefined {
    const state = stateDirectory(this.#ctx.mailbox, this.#place.user)
    const { first } = redoPlaces(this.#place, state, file)
    if (!first.startsWith(`${state}/`) || isOnNoDevice(file.device)) return undefined
    return `${state}/redo/${file.device.toString(16)}-${file.inode.toString(16)}${SUFFIX}`
  }

  /** `crossedOut`: the mark of one that is known to be. */
  async look(file: Identity, crossedOut: number): Promise<AheadFound> {
    const path = this.#path(file)
    const there = path === undefined ? undefined : await this.#files.lstat(path)
    if (path === undefined || there?.kind !== 'file') return { mark: 0, pending: undefined }
    const mark = Math.round(there.mtimeMs)
    if (there.size < RECORDS || mark === crossedOut) return { mark, pending: undefined }
    const octets = await this.#read(path, Math.min(there.size, MOST))
    const head = readHead(octets)
    if (head === undefined || head.device !== file.device || head.inode !== file.inode) return { mark, pending: undefined }
    const { records, end } = readRecords(octets, head.nonce)
    // The first record was never acknowledged.
    if (records.length === 0) return { mark, pending: undefined }
    const note = readNote(octets, head.nonce)
    const sameBoot = head.boot === this.#boot.id
    return { mark, pending: { nonce: head.nonce, records, end, note, sameBoot, unfinished: !sameBoot || note.laid < records.length } }
  }
  async #read(path: string, size: number): Promise<Buffer> {
    let file: OpenFile
    try {
      file = await this.#files.open(path, { noFollow: true })
    } catch (error) {
      if (failedWith(error, 'ENOENT')) return Buffer.alloc(0)
      throw error
    }
    try {
      // Mostly the first read is all of it, or says that there is nothing.
      const octets = Buffer.allocUnsafe(size)
      const got = await readSmall(file, octets.subarray(0, ROOM), 0)
      if (got < ROOM || readHead(octets) === undefined) return octets.subarray(0, got)
      return octets.subarray(0, got + (await file.read(octets.subarray(got), got)))
    } finally {
      closeRead(file)
    }
  }

  /** The mailbox was removed, and the log crossed out before; whoever did it has the file open. */
  async forget(file: Identity): Promise<void> {
    const path = this.#path(file)
    if (path !== undefined) await this.#files.unlink(path).catch(() => undefined)
  }

  /** Puts a record on the disk. Undefined: it cannot be, and nothing of it will be found; the mailbox is to be synced as ever. */
  async write(file: Identity, before: Pending | undefined, changes: OctetChanges): Promise<Pending | undefined> {
    const path = this.#path(file)
    if (path === undefined) return undefined
    const nonce = before?.nonce ?? this.#lot()
    const record = recordOf(nonce, this.#ctx.clock.now(), changes)
    const at = before?.end ?? RECORDS
    if (record === undefined || at + record.octets.length > MOST) return undefined
    const { device, inode } = file
    const head = before === undefined ? [headSector({ device, inode, nonce, boot: this.#boot.id })] : []
    try {
      await this.#put(path, [...head, record.octets], before === undefined ? 0 : at)
    } catch (error) {
      if (!failedWith(error, 'ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EACCES', 'EPERM', 'EROFS', 'ELOOP', 'ENOTDIR')) throw error
      await this.#unsay(path, before).catch(() => undefined)
      return undefined
    }
    return { nonce, records: [...(before?.records ?? []), record], end: at + record.octets.length, note: before?.note ?? { laid: 0, mtimeMs: Number.NaN }, sameBoot: true, unfinished: true }
  }
  async #put(path: string, parts: readonly Buffer[], at: number): Promise<void> {
    const { file, fresh } = await this.#open(path)
    try {
      const end = parts.reduce((sum, part) => sum + part.length, at)
      const { size } = await file.stat()
      const room = end > size ? [Buffer.alloc((ROOM - (end % ROOM)) % ROOM)] : []
      await file.write([...parts, ...room], at)
      await file.sync()
    } finally {
      await file.close()
    }
    if (fresh) await this.#files.syncDirectory(folderOf(path))
  }
  async #open(path: string): Promise<{ readonly file: OpenFile; readonly fresh: boolean }> {
    try {
      return { file: await this.#files.open(path, { write: true, noFollow: true }), fresh: false }
    } catch (error) {
      if (!failedWith(error, 'ENOENT', 'ENOTDIR')) throw error
    }
    await makeFolders(this.#files, folderOf(path))
    return { file: await this.#files.open(path, { write: true, create: 'if-missing', noFollow: true, mode: 0o600 }), fresh: true }
  }
  /** What was not acknowledged must not happen after all: the last record is crossed out, or the log when it is the first. */
  async unsay(file: Identity, before: Pending | undefined): Promise<void> {
    const path = this.#path(file)
    if (path !== undefined) await this.#unsay(path, before)
  }
  async #unsay(path: string, before: Pending | undefined): Promise<void> {
    const file = await this.#files.open(path, { write: true, noFollow: true })
    try {
      const at = before?.end ?? 0
      // What is not there need not be crossed out. A full disk may refuse to write, and takes room back.
      if ((await file.stat()).size > at) await file.write([Buffer.alloc(MAGIC.length)], at).catch(() => file.truncate(at))
      await file.sync()
    } finally {
      await file.close()
    }
  }
  /** Its records are in the mailbox, which has this time now; NaN: a change by others would not leave another one. */
  async note(file: Identity, pending: Pending, mtimeMs: number): Promise<Pending> {
    const path = this.#path(file)
    const note = { laid: pending.records.length, mtimeMs }
    if (path !== undefined) {
      const log = await this.#files.open(path, { write: true, noFollow: true })
      await log.write([noteOctets(pending.nonce, note)], NOTE_AT).finally(() => log.close())
    }
    return { ...pending, note, unfinished: false }
  }

  /**
   * Syncs the mailbox, where all records are laid, and crosses the log out on the disk. Returns its mark. `isInDoubt`: a sync may have failed since. Linux takes pages
   * that could not be written for written, so that the next sync would find nothing to do.
   */
  async finish(mailbox: OpenFile, file: Identity, pending: Pending, isInDoubt: boolean): Promise<number> {
    if (isInDoubt) await touch(mailbox, pending)
    try {
      await mailbox.sync()
    } catch (error) {
      await touch(mailbox, pending).catch(() => undefined)
      throw error
    }
    return this.#crossOut(file)
  }
  async #crossOut(of: Identity): Promise<number> {
    const path = this.#path(of)
    if (path === undefined) return 0
    // None that the clock of files gives by itself.
    const mark = Math.floor(this.#ctx.clock.now()) - 1000 - (this.#lot() % 65_536)
    const file = await this.#files.open(path, { write: true, noFollow: true })
    try {
      await file.write([Buffer.alloc(MAGIC.length)], 0)
      if ((await file.stat()).size > KEPT) await file.truncate(KEPT)
      await file.sync()
      // By it others see that there was one.
      await file.setTimes(mark, mark)
      return mark
    } finally {
      await file.close()
    }
  }
  /**
   * Lays what is unfinished: each octet where the old one still stands, and the message is where it was. What others made of an octet since is theirs.
   * The time of modification is another one afterwards, so that nobody takes the flags for known.
   */
  async recover(mailbox: OpenFile, stat: FileStat, pending: Pending): Promise<number> {
    const { records, note, sameBoot } = pending
    const last = records.at(-1)?.atMs ?? 0
    // As long as the machine runs all that was acknowledged is there; the rest of what was begun is not laid over what others did since.
    const isSettled = sameBoot ? stat.mtimeMs > last + LAID_MS : stat.mtimeMs > last + WRITTEN_BACK_MS && stat.mtimeMs < this.#boot.sinceMs
    if (!isSettled) for (const record of sameBoot ? records.slice(note.laid) : records) await lay(mailbox, changesIn(record))
    const first = Buffer.alloc(1)
    if ((await mailbox.read(first, 0)) === 1) await mailbox.write([first], 0)
    return this.finish(mailbox, stat, pending, false)
  }
  #lot(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#ctx.random(4)
    return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
  }
}

/** Nobody has changed the mailbox since the last record was laid, so that the next one may follow it. */
export function isAsLeft({ note, unfinished }: Pending, stat: Pick<FileStat, 'mtimeMs'>): boolean {
  return !unfinished && Math.abs(stat.mtimeMs - note.mtimeMs) < SAME_MS
}
/** Files of a server, or of several devices: what is in memory here others may not see, and who stopped may be another machine. */
function isOnNoDevice(device: number): boolean {
  return Math.floor(device / 256) % 4096 === 0
}

/** Octets at a time around changes; those of many messages are in one read. */
const WINDOW = 1 << 18
async function lay(mailbox: OpenFile, { at, old, octets, back, proof, tail }: OctetChanges): Promise<void> {
  const window = Buffer.allocUnsafe(WINDOW)
  const span = proofLength(tail)
  let start = 0
  let length = 0
  for (const [n, place] of at.entries()) {
    const from = place - (back[n] ?? 0)
    if (from < start || from + span > start + length) {
      start = from
      length = await mailbox.read(window, start)
    }
    const isThere = from + span <= start + length && proofOf(window, from - start, tail) === proof[n]
    if (isThere && window[place - start] === old[n]) await mailbox.write([octets.subarray(n, n + 1)], place)
  }
}
/** Writes octets over themselves. */
async function touch(mailbox: OpenFile, { records }: Pending): Promise<void> {
  const octet = Buffer.alloc(1)
  for (const record of records) for (const place of changesIn(record).at) if ((await mailbox.read(octet, place)) === 1) await mailbox.write([octet], place)
}
