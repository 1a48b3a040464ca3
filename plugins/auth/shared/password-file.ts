import { dirname } from 'node:path'
import { MailError, type Clock, type FileStat, type Files, type Logger } from 'mailwright/api'
import { PasswordLines } from './password-lines.js'

const MAX_OCTETS = 64 * 1024 * 1024
/** A change this young might be followed by another with the same times: the file is read again. */
const YOUNG_MS = 2_000
const LOCK_POLL_MS = 100
const LOCK_WAIT_MS = 10_000
/** A lock this old was left by a process that died: an edit takes no longer than a few writes. */
const LOCK_STALE_MS = 60_000

/**
 * The file, read when it changed and replaced whole when edited: new content goes to a file beside it, is synced and
 * renamed, so that a reader and a crash see the old file or the new one. Editors of several processes take turns by `<path>.lock`.
 */
export class PasswordFile {
  readonly #path: string
  readonly #files: Files
  readonly #clock: Clock
  readonly #logger: Logger
  #known: { readonly lines: PasswordLines; readonly stat: FileStat; readonly readAt: number } | undefined
  #reading: Promise<PasswordLines> | undefined
  #editing: Promise<unknown> = Promise.resolve()

  constructor(path: string, files: Files, clock: Clock, logger: Logger) {
    this.#path = path
    this.#files = files
    this.#clock = clock
    this.#logger = logger
  }

  /** As it is now; a file that cannot be read is an outage. Callers at the same time share one reading. */
  async read(): Promise<PasswordLines> {
    if (this.#reading !== undefined) return await this.#reading
    const reading = this.#readNow()
    this.#reading = reading
    try {
      return await reading
    } finally {
      if (this.#reading === reading) this.#reading = undefined
    }
  }

  /** One edit after the other; `change` is given the file as it is under the lock. Durable when it resolves. */
  async edit(change: (lines: PasswordLines) => PasswordLines, signal: AbortSignal): Promise<void> {
    const turn = this.#editing.then(() => this.#editNow(change, signal))
    this.#editing = turn.catch(() => undefined)
    await turn
  }

  async #readNow(): Promise<PasswordLines> {
    try {
      const stat = await this.#files.stat(this.#path)
      if (stat === undefined) throw new MailError('unavailable', `password file ${this.#path} does not exist; "mailwright user add NAME" makes it`)
      const known = this.#known
      if (known !== undefined && sameFile(known.stat, stat) && known.readAt - stat.ctimeMs > YOUNG_MS) return known.lines
      return await this.#load()
    } catch (error) {
      if (error instanceof MailError) throw error
      throw new MailError('unavailable', `password file ${this.#path} cannot be read: ${codeOf(error)}`, { cause: error })
    }
  }

  async #load(): Promise<PasswordLines> {
    await using file = await opened(this.#files, this.#path)
    const stat = await file.stat()
    if (stat.size > MAX_OCTETS) throw new MailError('unavailable', `password file ${this.#path} has more than ${MAX_OCTETS} octets`)
    const octets = new Uint8Array(stat.size)
    const got = await file.read(octets, 0)
    const lines = new PasswordLines(new TextDecoder().decode(octets.subarray(0, got)))
    const isNews = this.#known === undefined || !sameFile(this.#known.stat, stat)
    this.#known = { lines, stat, readAt: this.#clock.now() }
    if (isNews && lines.strange.length > 0) this.#logger.warn('password file has lines that say nothing', { path: this.#path, lines: lines.strange.slice(0, 20).join(',') })
    if (isNews && (stat.mode & 0o077) !== 0) this.#logger.warn('password file is open to others than its owner', { path: this.#path, mode: stat.mode.toString(8).padStart(4, '0') })
    return lines
  }

  async #editNow(change: (lines: PasswordLines) => PasswordLines, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    await ensureDirectory(this.#files, dirname(this.#path))
    // Renaming replaces the file a link leads to, not the link.
    const path = (await this.#files.stat(this.#path)) === undefined ? this.#path : await this.#files.realPath(this.#path)
    const lock = `${path}.lock`
    await this.#takeLock(lock, signal)
    try {
      const old = await this.#files.stat(path)
      if (old !== undefined) this.#mustOwn(path, old)
      const before = old === undefined ? new PasswordLines('') : await this.#load()
      const after = change(before)
      if (after !== before) await this.#replace(path, after)
      // Whoever asks from now on sees the new file, also when an older reading is still under way.
      this.#known = undefined
      this.#reading = undefined
    } finally {
      await this.#files.unlink(lock)
    }
  }

  /** A file that another user wrote would not be theirs any more, and could not be read by the server. */
  #mustOwn(path: string, old: FileStat): void {
    const me = process.geteuid?.()
    if (me !== undefined && old.uid !== me) throw new MailError('denied', `password file ${path} belongs to uid ${old.uid}, not to uid ${me}: run this as its owner`)
  }

  async #replace(path: string, lines: PasswordLines): Promise<void> {
    const fresh = `${path}.new`
    // Left by a crash: nobody else writes it while the lock is held.
    if ((await this.#files.lstat(fresh)) !== undefined) await this.#files.unlink(fresh)
    {
      await using file = await opened(this.#files, fresh, 'new')
      await file.write([new TextEncoder().encode(lines.toString())], 0)
      await file.sync()
    }
    await this.#files.rename(fresh, path)
    await this.#files.syncDirectory(dirname(path))
  }

  async #takeLock(lock: string, signal: AbortSignal): Promise<void> {
    const until = this.#clock.steady() + LOCK_WAIT_MS
    for (;;) {
      try {
        const file = await this.#files.open(lock, { write: true, create: 'new', mode: 0o600, noFollow: true })
        await file.close()
        return
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error
      }
      const held = await this.#files.lstat(lock)
      if (held === undefined) continue
      if (this.#clock.now() - held.ctimeMs > LOCK_STALE_MS) {
        this.#logger.warn('lock of the password file was left behind and is removed', { path: lock })
        await this.#files.unlink(lock)
      } else if (this.#clock.steady() >= until) throw new MailError('in-use', `${lock} is held by another process`)
      else await this.#pause(signal)
    }
  }

  async #pause(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = this.#clock.after(LOCK_POLL_MS, () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      })
      const onAbort = (): void => {
        timer[Symbol.dispose]()
        reject(new MailError('cancelled', 'waiting for the lock of the password file was cancelled'))
      }
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }
}

/** An open file that closes itself. */
async function opened(files: Files, path: string, create?: 'new'): Promise<Awaited<ReturnType<Files['open']>> & AsyncDisposable> {
  const file = await files.open(path, create === undefined ? {} : { write: true, create, mode: 0o600, noFollow: true })
  return Object.assign(file, { [Symbol.asyncDispose]: () => file.close() })
}
async function ensureDirectory(files: Files, path: string): Promise<void> {
  if ((await files.stat(path)) !== undefined) return
  await ensureDirectory(files, dirname(path))
  try {
    await files.makeDirectory(path, 0o700)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
}
function sameFile(a: FileStat, b: FileStat): boolean {
  return a.device === b.device && a.inode === b.inode && a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs
}
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
