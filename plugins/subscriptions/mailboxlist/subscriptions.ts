import { MailError, type Clock, type Files, type MailboxName, type MailUser, type OpenFile, type SubscriptionStore } from 'mailwright/api'

/** More than anybody subscribes to; a longer file is no list of names. */
const LARGEST = 4 << 20

/**
 * `.mailboxlist`: one name per line, in the order in which they were subscribed. A change writes the whole list to a
 * second file, which then takes the place of the first, so that a crash leaves the one or the other.
 */
export class MailboxList implements SubscriptionStore {
  readonly #files: Files
  readonly #clock: Clock
  readonly #path: (user: MailUser) => string
  /** Changes of one list, one after the other. */
  readonly #turns = new Map<string, Promise<void>>()

  constructor(files: Files, clock: Clock, path: (user: MailUser) => string) {
    this.#files = files
    this.#clock = clock
    this.#path = path
  }

  async list(user: MailUser): Promise<readonly MailboxName[]> {
    const names = new Set(await this.#read(this.#path(user)))
    // Lines of the file are names as clients gave them.
    return [...names] as MailboxName[]
  }
  async set(user: MailUser, name: MailboxName, on: boolean): Promise<void> {
    if (/[\0\r\n]/.test(name)) throw new MailError('denied', 'invalid name')
    const path = this.#path(user)
    const before = this.#turns.get(path) ?? Promise.resolve()
    const change = before.then(() => this.#change(path, name, on))
    const ended = change.then(
      () => undefined,
      () => undefined,
    )
    this.#turns.set(path, ended)
    try {
      await change
    } finally {
      if (this.#turns.get(path) === ended) this.#turns.delete(path)
    }
  }

  async #change(path: string, name: string, on: boolean): Promise<void> {
    const names = await this.#read(path)
    if (names.includes(name) === on) return
    await this.#write(path, on ? [...names, name] : names.filter((n) => n !== name))
  }
  async #read(path: string): Promise<readonly string[]> {
    let file: OpenFile
    try {
      file = await this.#files.open(path)
    } catch (error) {
      if (code(error) === 'ENOENT' || code(error) === 'ENOTDIR') return []
      throw problem(error, path)
    }
    try {
      const { size } = await file.stat()
      if (size > LARGEST) throw new MailError('corrupt', `${path} is no list of mailboxes`)
      const bytes = Buffer.alloc(size)
      const got = await file.read(bytes, 0)
      return bytes
        .toString('utf8', 0, got)
        .split('\n')
        .map((line) => line.replace(/\r$/, ''))
        .filter((line) => line !== '')
    } finally {
      await file.close()
    }
  }
  async #write(path: string, names: readonly string[]): Promise<void> {
    const folder = path.slice(0, path.lastIndexOf('/'))
    const next = `${folder}/.mlbxlsttmp.${process.pid}.${this.#clock.now().toString(36)}`
    try {
      await this.#makeFolder(folder)
      const mode = (await this.#files.stat(path))?.mode ?? 0o600
      const file = await this.#files.open(next, { write: true, create: 'new', mode })
      try {
        await file.write([Buffer.from(names.map((n) => `${n}\n`).join(''))], 0)
        await file.sync()
      } finally {
        await file.close()
      }
      await this.#files.rename(next, path)
      await this.#files.syncDirectory(folder)
    } catch (error) {
      await this.#files.unlink(next).catch(() => undefined)
      throw problem(error, path)
    }
  }
  async #makeFolder(folder: string): Promise<void> {
    if (folder === '' || (await this.#files.stat(folder)) !== undefined) return
    await this.#makeFolder(folder.slice(0, folder.lastIndexOf('/')))
    await this.#files.makeDirectory(folder, 0o700)
  }
}

function code(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
function problem(error: unknown, path: string): unknown {
  if (code(error) === 'EACCES' || code(error) === 'EPERM') return new MailError('denied', `${path}: permission denied`, { cause: error })
  if (code(error) === 'EROFS') return new MailError('read-only', `${path}: read-only file system`, { cause: error })
  if (code(error) === 'ENOSPC') return new MailError('unavailable', `${path}: the disk is full`, { cause: error })
  if (code(error) === 'EDQUOT') return new MailError('over-quota', `${path}: disk quota exceeded`, { cause: error })
  return error
}
