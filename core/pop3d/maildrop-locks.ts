import type { Files, Logger, OpenFile } from '../api/index.js'
import { folderOf, makePath } from '../mail/cache/directories.js'

/** A session that has a maildrop. */
export interface MaildropHolder {
  /** How long it has waited for its client; 0 while it works. */
  idleMs(): number
  /** Tells the client that somebody else takes the maildrop over, and ends the session. */
  giveWay(): void
}
/** A maildrop that nobody else has until it is released; twice does no harm. */
export interface MaildropLock {
  release(): Promise<void>
}
/** Which maildrop, and by which rules. */
export interface MaildropRequest {
  /** Of the physical mailbox. */
  readonly key: string
  /** State folder of the user, for the lock among processes; undefined: this process alone. */
  readonly folder: string | undefined
  readonly holder: MaildropHolder
  /** A holder that is idle for longer is asked to give way. */
  readonly giveWayMs: number
}

interface Held {
  readonly holder: MaildropHolder
  readonly released: Promise<void>
}

/**
 * One POP3 session per maildrop (RFC 1939 §4), in this process and among the processes of the machine. IMAP sessions and deliveries are
 * not concerned: their operations have locks of their own.
 */
export class MaildropLocks {
  readonly #files: Files
  readonly #logger: Logger
  readonly #held = new Map<string, Held>()

  constructor(files: Files, logger: Logger) {
    this.#files = files
    this.#logger = logger
  }

  /** Undefined: somebody has it and does not give way. */
  async acquire({ key, folder, holder, giveWayMs }: MaildropRequest): Promise<MaildropLock | undefined> {
    const other = this.#held.get(key)
    if (other !== undefined) {
      if (other.holder.idleMs() <= giveWayMs) return undefined
      other.holder.giveWay()
      await other.released
      if (this.#held.has(key)) return undefined
    }
    let done: (() => void) | undefined
    const mine: Held = { holder, released: new Promise((resolve) => (done = resolve)) }
    this.#held.set(key, mine)
    const leave = (): void => {
      if (this.#held.get(key) === mine) this.#held.delete(key)
      done?.()
    }
    try {
      const file = folder === undefined ? undefined : await this.#lockFile(key, folder)
      if (file === 'busy') {
        leave()
        return undefined
      }
      let released: Promise<void> | undefined
      return { release: () => (released ??= (file?.close() ?? Promise.resolve()).finally(leave)) }
    } catch (error) {
      leave()
      throw error
    }
  }

  /** The lock is on the file, not the file itself: it goes with the process, and the file stays. Undefined: there are no such locks here. */
  async #lockFile(key: string, folder: string): Promise<OpenFile | 'busy' | undefined> {
    let file: OpenFile
    try {
      await makePath(this.#files, `${folder}/maildrops`)
      file = await this.#files.open(`${folder}/maildrops/${folderOf(key)}.lock`, { write: true, create: 'if-missing', noFollow: true })
    } catch (error) {
      this.#logger.warn('maildrop cannot be locked among processes', { folder, error })
      return undefined
    }
    const outcome = file.lock('flock', 'exclusive')
    if (outcome === 'locked') return file
    await file.close()
    return outcome === 'busy' ? 'busy' : undefined
  }
}
