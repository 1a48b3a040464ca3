import { MailError, type FileStat, type OpenFile } from 'mailwright/api'
import { folderOf, backOff, pause, type Say } from '../shared/locks/lock-context.js'
import { isLockedFor, Wait } from '../shared/locks/wait-lines.js'
import { makeFolders } from '../shared/folders.js'
import { nowSeconds, stateDirectory } from '../shared/changes/state-directory.js'
import type { MailUser } from 'mailwright/api'
import type { MhContext } from './context.js'

/** What MH has no place for: it is kept in the user's state folder, by device and inode of the mailbox. */
export interface MhRecord {
  readonly validity: number
  /** The highest number that was given. */
  readonly last: number
  /** Up to here somebody has seen that messages came. */
  readonly claimed: number
  /** Up to here the sequences say what is unseen; what came later by other programs is. */
  readonly known: number
  /** Numbers of a delivery under way, 0 and 0 without one: all of them count, or none. */
  readonly from: number
  readonly until: number
}
const FIELDS = ['validity', 'last', 'claimed', 'known', 'from', 'until'] as const
/** One line within a sector: it is written whole or not at all. */
const OCTETS = FIELDS.length * 9

function encode(record: MhRecord): Buffer {
  return Buffer.from(`${FIELDS.map((f) => record[f].toString(16).padStart(8, '0')).join(' ')}\n`)
}
function decode(bytes: Uint8Array): MhRecord | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  if (!/^(?:[0-9a-f]{8}[ \n]){6}$/.test(text)) return undefined
  const [validity = 0, last = 0, claimed = 0, known = 0, from = 0, until = 0] = text.trim().split(' ').map((digits) => Number.parseInt(digits, 16))
  return { validity, last, claimed, known, from, until }
}

/** The folder of a record. */
export interface RecordedFolder {
  readonly path: string
  /** As it is found under the lock. */
  folder(): Promise<FileStat>
  /** The highest number of a message; asked when there is no record yet. */
  highest(): Promise<number>
}
/** The record of one mailbox, which is its lock among this server's processes as well. */
export class RecordFile {
  readonly #ctx: MhContext
  readonly #user: MailUser
  #file: OpenFile | undefined
  #path = ''
  constructor(user: MailUser, ctx: MhContext) {
    this.#ctx = ctx
    this.#user = user
  }
  static pathOf(ctx: MhContext, user: MailUser, folder: Pick<FileStat, 'device' | 'inode'>): string {
    return `${stateDirectory(ctx.mailbox, user)}/mh/${folder.device.toString(16)}-${folder.inode.toString(16)}`
  }
  /** Runs with the record of the folder locked. */
  async locked<T>(of: RecordedFolder, signal: AbortSignal, say: Say, work: (record: MhRecord, stat: FileStat) => Promise<T>): Promise<T> {
    const { file, stat } = await this.#lock(of, signal, say)
    try {
      let record = await this.#read(file)
      if (record === undefined) {
        record = { validity: this.#ctx.beginnings.at(of.path, nowSeconds(this.#ctx.clock)), last: await of.highest(), claimed: 0, known: 0, from: 0, until: 0 }
        await this.write(record, true)
        if (this.#durable) await this.#ctx.files.syncDirectory(folderOf(this.#path))
      }
      return await work(record, stat)
    } finally {
      file.unlock('flock')
    }
  }
  get #durable(): boolean {
    return this.#ctx.mailbox.durability === 'full'
  }
  /** As it is now, without a lock. */
  async peek(): Promise<MhRecord | undefined> {
    return this.#file === undefined ? undefined : this.#read(this.#file)
  }
  async write(record: MhRecord, sync: boolean): Promise<void> {
    await this.#file?.write([encode(record)], 0)
    if (sync && this.#durable) await this.#file?.sync()
  }
  async #read(file: OpenFile): Promise<MhRecord | undefined> {
    const bytes = new Uint8Array(OCTETS)
    return decode(bytes.subarray(0, await file.read(bytes, 0)))
  }
  async #lock({ path, folder }: RecordedFolder, signal: AbortSignal, say: Say): Promise<{ readonly file: OpenFile; readonly stat: FileStat }> {
    const { clock, locks } = this.#ctx
    const deadline = clock.steady() + locks.settings.dotlockTimeoutMs
    const wait = new Wait(locks, say)
    for (let tries = 0; ; tries++) {
      signal.throwIfAborted()
      this.#file ??= await this.#open(await folder())
      if (this.#file.lock('flock', 'exclusive') !== 'busy') {
        const stat = await this.#underLock(this.#file, folder)
        if (stat !== undefined) return { file: this.#file, stat }
        continue
      }
      if (clock.steady() >= deadline) throw new MailError('in-use', `${path} is locked by another process of this server for ${locks.settings.dotlockTimeoutMs / 1000} s`)
      wait.goesOn(() => isLockedFor(path, deadline - clock.steady()))
      await pause(clock, backOff(locks, tries), signal)
    }
  }
  async #open(folder: FileStat): Promise<OpenFile> {
    const { files } = this.#ctx
    const path = RecordFile.pathOf(this.#ctx, this.#user, folder)
    await makeFolders(files, folderOf(path))
    const file = await files.open(path, { write: true, create: 'if-missing', mode: 0o600 })
    this.#path = path
    return file
  }
  /** Who was waited for may have deleted the mailbox, or have put another one in its place: undefined, and the record is given back. */
  async #underLock(file: OpenFile, folder: () => Promise<FileStat>): Promise<FileStat | undefined> {
    try {
      const stat = await folder()
      const ours = this.#path === RecordFile.pathOf(this.#ctx, this.#user, stat)
      if (ours && (await this.#ctx.files.stat(this.#path))?.inode === (await file.stat()).inode) return stat
    } catch (error) {
      await this.close()
      throw error
    }
    await this.close()
    return undefined
  }
  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    this.#path = ''
    await file?.close()
  }
}
