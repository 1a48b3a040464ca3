import { MailError } from '../api/index.js'
import type { Clock, Files, Logger, MaildropHolder, MaildropLock, MaildropLocks, MaildropRequest } from '../api/index.js'
import { makePath } from '../mail/cache/directories.js'
import { LockFile, lockFolder } from './lock-file.js'

interface Held {
  readonly holder: MaildropHolder
  readonly released: Promise<void>
}

/**
 * One POP session per maildrop (RFC 1939 §4), in this process and among the processes of the machine. IMAP sessions and deliveries are
 * not concerned: their operations have locks of their own.
 */
export class MachineMaildropLocks implements MaildropLocks {
  readonly #files: Files
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #held = new Map<string, Held>()

  constructor(files: Files, clock: Clock, logger: Logger) {
    this.#files = files
    this.#clock = clock
    this.#logger = logger
  }

  async acquire(request: MaildropRequest, signal: AbortSignal): Promise<MaildropLock | undefined> {
    const { key, folder, holder, giveWayMs } = request
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
      const file = folder === undefined ? undefined : await this.#lockFile({ ...request, folder }, signal)
      if (file === 'busy') {
        leave()
        return undefined
      }
      let released: Promise<void> | undefined
      return {
        lastMs: file?.lastMs,
        note: async (nowMs) => {
          await file?.note(nowMs)
        },
        release: () => (released ??= (file?.release() ?? Promise.resolve()).finally(leave)),
      }
    } catch (error) {
      leave()
      throw error
    }
  }

  /** Undefined: there are no such locks here. */
  async #lockFile({ key, folder, holder, giveWayMs }: MaildropRequest & { readonly folder: string }, signal: AbortSignal): Promise<LockFile | 'busy' | undefined> {
    let file: LockFile
    try {
      await makePath(this.#files, lockFolder(folder), folder)
      file = await LockFile.open({ files: this.#files, clock: this.#clock, logger: this.#logger }, folder, key)
    } catch (error) {
      this.#logger.warn('maildrop cannot be locked among processes', { folder, error })
      return undefined
    }
    const outcome = await file.take({ holder, giveWayMs }, signal).catch(async (error: unknown) => {
      await file.release()
      throw error instanceof MailError ? error : new MailError('unavailable', 'the maildrop cannot be locked', { cause: error })
    })
    if (outcome === 'locked') return file
    await file.release()
    return outcome === 'busy' ? 'busy' : undefined
  }
}
