import { MailError, type Files, type OpenFile } from '../../api/index.js'
import { contentOf } from '../cache/directories.js'
import { asMailFailure } from '../failures.js'
import { decodeRecords, encodeRecord, type JournalRecord } from './records.js'

const NEW_FOLDERS = 4
/** Octets of zeros written ahead: a record that falls on them changes no size, which spares the sync of the file system's own journal. */
const ROOM = 16 * 1024

interface Waiting {
  readonly bytes: Uint8Array
  readonly sync: boolean
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

/**
 * An append-only file of records. What is asked while a write is under way goes out together with the next one, with one sync for all.
 *
 * Zeros may follow the last record: room for the next ones.
 *
 * Invariants: nothing is reported durable before the sync that covers it; a write that failed is cut off before the next begins, so
 * that what was refused does not come back; a torn end is cut off when the file is opened.
 */
export class JournalFile {
  readonly #files: Files
  readonly #path: string
  readonly #durable: boolean
  #file: OpenFile | undefined
  #end = 0
  /** Up to here the file has octets, zeros behind `#end`. */
  #room = 0
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined
  #broken: unknown
  #nameIsNew = false
  private constructor(files: Files, path: string, durable: boolean) {
    this.#files = files
    this.#path = path
    this.#durable = durable
  }
  /** Undefined when another process has it. */
  static async open(files: Files, path: string, durable: boolean): Promise<{ readonly journal: JournalFile; readonly records: readonly JournalRecord[] } | undefined> {
    const journal = new JournalFile(files, path, durable)
    const file = await files.open(path, { write: true, create: 'if-missing', noFollow: true, syncWrites: durable })
    try {
      if (file.lock('flock', 'exclusive') === 'busy') {
        await file.close()
        return undefined
      }
      const bytes = await contentOf(file)
      let { records, end } = decodeRecords(bytes)
      if (records.at(-1)?.t === 'moved') {
        if ((await file.stat()).links === 0) {
          await file.close()
          return await JournalFile.open(files, path, durable)
        }
        // Whoever was about to take it away was stopped.
        records = []
        end = 0
      }
      const isRoom = isZeros(bytes.subarray(end))
      if (!isRoom) await file.truncate(end)
      // Also when the file was there: whoever made it may have ended before it had anything to sync.
      journal.#nameIsNew = true
      journal.#file = file
      journal.#end = end
      journal.#room = isRoom ? bytes.length : end
      return { journal, records }
    } catch (error) {
      await file.close()
      throw error
    }
  }
  get size(): number {
    return this.#end
  }
  /** Why it cannot be written any more. */
  get broken(): unknown {
    return this.#broken
  }
  /** Resolves when the record is written, and, with `sync`, on the disk. */
  append(record: JournalRecord, sync: boolean): Promise<void> {
    return new Promise((done, failed) => {
      this.#waiting.push({ bytes: encodeRecord(record), sync: sync && this.#durable, done, failed })
      this.#writing ??= this.#write()
    })
  }
  async #write(): Promise<void> {
    // What is asked in the same turn of the loop goes together.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      try {
        await this.#writeBatch(batch)
        for (const w of batch) w.done()
      } catch (error) {
        for (const w of batch) w.failed(asMailFailure(error))
      }
    }
    this.#writing = undefined
  }
  async #writeBatch(batch: readonly Waiting[]): Promise<void> {
    const file = this.#file
    if (file === undefined || this.#broken !== undefined) throw new MailError('unavailable', 'the journal cannot be written', { cause: this.#broken })
    try {
      const pieces = batch.map((w) => w.bytes)
      const end = this.#end + lengthOf(pieces)
      if (this.#durable && end > this.#room) pieces.push(new Uint8Array(ROOM))
      await file.write(pieces, this.#end)
      this.#room = Math.max(this.#room, this.#end + lengthOf(pieces))
      if (this.#nameIsNew && batch.some((w) => w.sync)) await this.#syncName()
    } catch (error) {
      try {
        await file.truncate(this.#end)
        // What was refused must not come back after a power failure either.
        if (this.#durable) await file.sync()
        this.#room = this.#end
      } catch {
        this.#broken = error
      }
      throw error
    }
    this.#end += lengthOf(batch.map((w) => w.bytes))
  }
  /** Forgets all records, which needs no room on the disk. Nothing may be appended meanwhile. */
  async clear(): Promise<void> {
    await this.#writing
    await this.#file?.truncate(0)
    this.#end = this.#room = 0
    if (this.#durable) await this.#file?.sync()
    this.#broken = undefined
  }
  /**
   * The same journal with these records alone, in the place of the old one at once. Nothing may be appended meanwhile. When it fails the journal is the
   * old one or, where the new one has the name already and the disk may not know, the new one.
   */
  async rewrite(records: readonly JournalRecord[]): Promise<void> {
    await this.#writing
    const temporary = `${this.#path}.new`
    const bytes = records.map(encodeRecord)
    await this.#files.unlink(temporary).catch(() => undefined)
    const file = await this.#files.open(temporary, { write: true, create: 'new', syncWrites: this.#durable })
    try {
      // Locked before it has the name, so that nobody takes it in between.
      if (file.lock('flock', 'exclusive') === 'busy') throw new MailError('in-use', 'the new journal is locked by somebody')
      await file.write(bytes, 0)
      await this.#files.rename(temporary, this.#path)
    } catch (error) {
      await file.close()
      await this.#files.unlink(temporary).catch(() => undefined)
      throw error
    }
    const [old, end] = [this.#file, this.#end]
    this.#file = file
    this.#end = this.#room = lengthOf(bytes)
    this.#broken = undefined
    this.#nameIsNew = true
    try {
      await this.#syncName()
      // Not before: after a power failure the old one may have the name again.
      await retire(old, end)
    } finally {
      await old?.close()
    }
  }
  async #syncName(): Promise<void> {
    if (this.#durable) {
      // The folder of the mailbox, the one of all mailboxes and the state folder may all be as new as the file.
      const folders: string[] = []
      for (let path = folderOf(this.#path); path !== '' && folders.length < NEW_FOLDERS; path = folderOf(path)) folders.push(path)
      // At once: the first change of a mailbox waits for all of them, in whatever order, and the disk is told to write once.
      const [stat] = await Promise.all([this.#file?.stat(), ...folders.map((folder) => this.#files.syncDirectory(folder))])
      // It was lost before the file was locked, without room for the word.
      if (stat?.links === 0) throw new MailError('unavailable', 'the journal has no name any more')
    }
    this.#nameIsNew = false
  }
  /** Takes the file away, and closes it. */
  async remove(): Promise<void> {
    await this.#writing
    try {
      await retire(this.#file, this.#end)
      await this.#files.unlink(this.#path)
    } finally {
      await this.close()
    }
  }
  async close(): Promise<void> {
    await this.#writing
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }
}

/** Says in the file that it is the journal no more, to a process that opened it before it lost its name and gets the lock now. */
async function retire(file: OpenFile | undefined, end: number): Promise<void> {
  // Without room for the word nobody is worse off than without it.
  await file?.write([encodeRecord({ t: 'moved' })], end).catch(() => undefined)
}
const ZEROS = new Uint8Array(ROOM)
/** Compared piece by piece: a function called for each octet takes milliseconds in a process that has just begun. */
function isZeros(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const piece = bytes.subarray(at, at + ZEROS.length)
    if (Buffer.compare(piece, ZEROS.subarray(0, piece.length)) !== 0) return false
  }
  return true
}
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}
function lengthOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0)
}
