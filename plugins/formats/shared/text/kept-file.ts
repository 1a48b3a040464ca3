import { failedWith } from 'mailwright/api'
import type { Files, OpenFile } from 'mailwright/api'
import type { FileState } from './stamp.js'

/** Mailbox files that stay open for reading; the ones that nobody read for longest are closed first. */
const KEPT = 64

/** A mailbox file that is open for reading. Locks are those of open file descriptions: that it is closed costs nobody a lock. */
export interface Opened {
  readonly file: OpenFile
  /** Undefined until `known` has resolved: reading does not wait for it, what was read does. */
  inode: number | undefined
  readonly known: Promise<unknown>
  /** Readers at work. */
  users: number
  /** What was read beyond the last message, for the client that asks for one after the other. */
  ahead: Ahead | undefined
  /** Where the last read of a single message ended. */
  lastEnd: number
}
/** Octets of a file in one of its states. */
export interface Ahead {
  readonly state: FileState
  readonly from: number
  readonly bytes: Buffer
}

/** Bounds how many files are kept; one for all mailboxes of a host. */
export class KeptFiles {
  readonly #idle = new Set<KeptFile>()
  /** Called when the last reader is done. */
  rest(file: KeptFile): Promise<void> | undefined {
    this.#idle.delete(file)
    this.#idle.add(file)
    if (this.#idle.size <= KEPT) return undefined
    const [oldest] = this.#idle
    return oldest?.close()
  }
  forget(file: KeptFile): void {
    this.#idle.delete(file)
  }
}

/** The file of one mailbox, opened for its first reader and kept for the next. */
export class KeptFile {
  readonly #files: Files
  readonly #path: string
  readonly #pool: KeptFiles
  #current: Opened | undefined

  constructor(files: Files, path: string, pool: KeptFiles) {
    this.#files = files
    this.#path = path
    this.#pool = pool
  }

  /** The file that has the name, or the open one when it is the wanted inode. Undefined when there is none. */
  async take(inode: number): Promise<Opened | undefined> {
    const kept = this.#current
    if (kept !== undefined && kept.inode === inode) {
      this.#pool.forget(this)
      kept.users++
      return kept
    }
    let file: OpenFile
    try {
      file = await this.#files.open(this.#path, { keepAccessTime: true })
    } catch (error) {
      if (failedWith(error, 'ENOENT')) return undefined
      throw error
    }
    const stat = file.stat()
    const opened: Opened = { file, inode: undefined, known: stat, users: 1, ahead: undefined, lastEnd: -1 }
    stat.then(
      ({ inode: own }) => (opened.inode = own),
      // Whoever waits for it hears of it.
      () => undefined,
    )
    const before = this.#current
    this.#current = opened
    this.#pool.forget(this)
    if (before !== undefined && before.users === 0) await before.file.close()
    return opened
  }
  /** Every `take` is given back once. */
  async release(opened: Opened): Promise<void> {
    opened.users--
    if (opened.users > 0) return
    if (this.#current === opened) await this.#pool.rest(this)
    else await opened.file.close()
  }
  /** Something happened to the file: what was read ahead is not given out any more. */
  forgetAhead(): void {
    if (this.#current !== undefined) this.#current.ahead = undefined
  }
  /** Readers at work end with the file that they have. */
  async close(): Promise<void> {
    this.#pool.forget(this)
    const opened = this.#current
    this.#current = undefined
    if (opened !== undefined && opened.users === 0) await opened.file.close()
  }
}
