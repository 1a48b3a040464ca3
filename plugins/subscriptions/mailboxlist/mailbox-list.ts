import { failedWith, MailError, Turns, type Clock, type Files, type MailboxName, type MailboxSettings, type MailUser, type OpenFile, type SubscriptionStore } from 'mailwright/api'
import { canonical, parseLines, withName, withoutName, type Lines } from './lines.js'
import { folderOf, problemOf } from './problems.js'

export interface MailboxListParts {
  readonly files: Files
  readonly clock: Clock
  readonly mailbox: Pick<MailboxSettings, 'fileMode' | 'directoryMode' | 'durability'>
  /** The list of a user; throws when there is no place for it. */
  readonly path: (user: MailUser) => string
}

/** More than anybody subscribes to; a longer file is no list of names. */
const LARGEST = 4 << 20
/** Beside the list; nobody else makes a file of this name. */
const TEMPORARY = '.mlbxlsttmp.mailwright'
/** A file of that name that is older was left by a crash. */
const STALE_MS = 60_000
/** How often, and how long each time, somebody else's change is waited for. */
const TRIES = 200
const PAUSE_MS = 25

/**
 * `.mailboxlist`: one name per line in modified UTF-7, in the order in which they were subscribed. A change writes the whole list to a
 * second file, which then takes the place of the first, so that no reader and no crash sees half of it. The second file is made
 * exclusively and is thereby the lock between hosts and processes.
 */
export class MailboxList implements SubscriptionStore {
  readonly #parts: MailboxListParts
  readonly #turns = new Turns()
  constructor(parts: MailboxListParts) {
    this.#parts = parts
  }

  async list(user: MailUser): Promise<readonly MailboxName[]> {
    const path = this.#parts.path(user)
    try {
      return (await this.#read(path))?.names ?? []
    } catch (error) {
      throw problemOf(error, "Can't read the subscription database")
    }
  }
  async set(user: MailUser, name: MailboxName, on: boolean): Promise<void> {
    if (name === '' || /[\0\r\n]/.test(name)) throw new MailError('denied', 'invalid name')
    const path = this.#parts.path(user)
    try {
      await this.#turns.run(path, () => this.#change(path, canonical(name), on))
    } catch (error) {
      throw problemOf(error, on ? "Can't append to subscription database" : "Can't write the subscription database")
    }
  }

  async #change(given: string, name: MailboxName, on: boolean): Promise<void> {
    const { files, mailbox } = this.#parts
    const path = await this.#target(given)
    const folder = folderOf(path)
    const before = await files.stat(path)
    if (before === undefined) {
      if (!on) throw new MailError('not-found', 'No subscriptions')
      await this.#makeFolder(folder)
    }
    const temporary = folder === '/' ? `/${TEMPORARY}` : `${folder}/${TEMPORARY}`
    const file = await this.#make(temporary, before === undefined ? mailbox.fileMode : before.mode & 0o777)
    let renamed = false
    try {
      // Read while nobody else writes.
      const bytes = changed((await this.#read(path)) ?? parseLines(Buffer.alloc(0)), name, on)
      if (bytes === undefined) return
      if (bytes.length > LARGEST) throw new MailError('limit', 'there are too many subscriptions')
      await file.write([bytes], 0)
      if (mailbox.durability === 'full') await file.sync()
      if ((await file.stat()).inode !== (await files.lstat(temporary))?.inode) throw new MailError('in-use', 'the subscriptions were changed meanwhile')
      await files.rename(temporary, path)
      renamed = true
    } finally {
      await file.close()
      if (!renamed) await files.unlink(temporary).catch(() => undefined)
    }
    if (mailbox.durability === 'full') await files.syncDirectory(folder)
  }
  /** A list that is a link stays one: what it leads to is replaced. */
  async #target(path: string): Promise<string> {
    const { files } = this.#parts
    if ((await files.lstat(path))?.kind !== 'symlink') return path
    if ((await files.stat(path)) === undefined) throw new MailError('unavailable', `${path} is a link to nothing`)
    return files.realPath(path)
  }
  async #make(path: string, mode: number): Promise<OpenFile> {
    const { files, clock } = this.#parts
    for (let tries = 0; ; tries++) {
      try {
        return await files.open(path, { write: true, create: 'new', mode })
      } catch (error) {
        if (!failedWith(error, 'EEXIST')) throw error
      }
      const other = await files.lstat(path)
      if (other !== undefined && clock.now() - other.mtimeMs > STALE_MS) {
        await files.unlink(path).catch((error: unknown) => {
          if (!failedWith(error, 'ENOENT')) throw error
        })
      } else if (tries >= TRIES) throw new MailError('in-use', 'another program is changing the subscriptions')
      else await new Promise<void>((resolve) => void clock.after(PAUSE_MS, resolve))
    }
  }

  async #read(path: string): Promise<Lines | undefined> {
    let file: OpenFile
    try {
      const stat = await this.#parts.files.stat(path)
      if (stat === undefined) return undefined
      if (stat.kind !== 'file') throw new MailError('corrupt', `${path} is no file`)
      file = await this.#parts.files.open(path)
    } catch (error) {
      if (failedWith(error, 'ENOENT', 'ENOTDIR')) return undefined
      throw error
    }
    try {
      const { size } = await file.stat()
      if (size > LARGEST) throw new MailError('corrupt', `${path} is too long for a list of mailboxes`)
      const bytes = Buffer.alloc(size)
      return parseLines(bytes.subarray(0, await file.read(bytes, 0)))
    } finally {
      await file.close()
    }
  }
  async #makeFolder(path: string): Promise<void> {
    const { files, mailbox } = this.#parts
    if (path === '/' || (await files.stat(path)) !== undefined) return
    await this.#makeFolder(folderOf(path))
    try {
      await files.makeDirectory(path, mailbox.directoryMode)
      if (mailbox.durability === 'full') await files.syncDirectory(folderOf(path))
    } catch (error) {
      if (!failedWith(error, 'EEXIST')) throw error
    }
  }
}

/** The list after the change; undefined when it is the same. To subscribe twice harms nobody; to unsubscribe what is not there may be a mistake. */
function changed(lines: Lines, name: MailboxName, on: boolean): Buffer | undefined {
  const known = lines.names.includes(name)
  if (on) return known ? undefined : withName(lines, name)
  if (!known) throw new MailError('not-found', `Not subscribed to mailbox ${name}`)
  return withoutName(lines, name)
}
