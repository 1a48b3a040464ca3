import type { Clock, Files, LockOutcome, Logger, MaildropRequest, OpenFile } from '../api/index.js'
import { folderOf } from '../mail/cache/directories.js'

/** Whoever wants the maildrop looks this often whether it is free, and for so long. */
const LOOK_MS = 50
const PATIENCE_MS = 3000

/** What the locks among processes need. */
export interface LockFileParts {
  readonly files: Files
  readonly clock: Clock
  readonly logger: Logger
}

/** Where the locks of a user are, in the state folder. */
export function lockFolder(stateFolder: string): string {
  return `${stateFolder}/maildrops`
}

/**
 * The lock of one maildrop among the processes of the machine. It is on the file, not the file itself: it goes with the process, and the file
 * stays; the time of the file is that of the last login, so that whoever comes later knows it.
 *
 * A second file asks the holder to give way. The holder watches for it: with a client that has been idle for long it ends the session and lets
 * go of the lock, otherwise it removes the file, which is the answer no. A holder that does not hear is as good as one that says no.
 */
export class LockFile {
  /** Time of the last login that was noted, in ms since 1970; undefined: none was. */
  readonly lastMs: number | undefined
  readonly #parts: LockFileParts
  readonly #file: OpenFile
  readonly #folder: string
  readonly #name: string
  #watch: Disposable | undefined
  /** The holder was told to leave. While it takes its leave it is at work, which is no reason to say no. */
  #leaves = false

  private constructor(parts: LockFileParts, file: OpenFile, at: { readonly folder: string; readonly name: string; readonly lastMs: number | undefined }) {
    this.#parts = parts
    this.#file = file
    this.#folder = at.folder
    this.#name = at.name
    this.lastMs = at.lastMs
  }
  static async open(parts: LockFileParts, stateFolder: string, key: string): Promise<LockFile> {
    const [folder, name] = [lockFolder(stateFolder), folderOf(key)]
    const path = `${folder}/${name}.lock`
    const before = await parts.files.stat(path)
    const file = await parts.files.open(path, { write: true, create: 'if-missing', noFollow: true })
    // A new file has the time of now, and nobody has logged in.
    if (before === undefined) await file.setTimes(0, 0)
    return new LockFile(parts, file, { folder, name, lastMs: before === undefined || before.mtimeMs === 0 ? undefined : Math.round(before.mtimeMs) })
  }

  async take(by: Pick<MaildropRequest, 'holder' | 'giveWayMs'>, signal: AbortSignal): Promise<LockOutcome> {
    const outcome = this.#try()
    const mine = outcome === 'busy' ? await this.#ask(signal) : outcome
    if (mine === 'locked') this.#listen(by)
    return mine
  }
  /** Notes a login for those who come later. */
  async note(nowMs: number): Promise<void> {
    await this.#file.setTimes(nowMs, nowMs)
  }
  async release(): Promise<void> {
    this.#watch?.[Symbol.dispose]()
    this.#watch = undefined
    await this.#file.close()
  }

  get #question(): string {
    return `${this.#folder}/${this.#name}.ask`
  }
  #try(): LockOutcome {
    return this.#file.lock('flock', 'exclusive')
  }
  async #ask(signal: AbortSignal): Promise<LockOutcome> {
    const { files, clock } = this.#parts
    const question = await files.open(this.#question, { write: true, create: 'if-missing', noFollow: true })
    // Told once more to a holder that has overheard the making of the file.
    await question.setTimes(clock.now(), clock.now())
    await question.close()
    let outcome: LockOutcome = 'busy'
    for (let waited = 0; waited < PATIENCE_MS && outcome === 'busy' && !signal.aborted; waited += LOOK_MS) {
      const isOpen = (await files.stat(this.#question)) !== undefined
      outcome = this.#try()
      if (outcome === 'busy' && !isOpen) return outcome
      if (outcome === 'busy') await new Promise<void>((resolve) => void clock.after(LOOK_MS, resolve))
    }
    await this.#withdraw()
    return outcome
  }
  #listen({ holder, giveWayMs }: Pick<MaildropRequest, 'holder' | 'giveWayMs'>): void {
    const { files, logger } = this.#parts
    try {
      this.#watch = files.watch(this.#folder, (name) => {
        if (name !== undefined && name !== `${this.#name}.ask`) return
        this.#answer(holder.idleMs() > giveWayMs ? holder : undefined).catch((error: unknown) => logger.debug('maildrop is not given up', { folder: this.#folder, error }))
      })
    } catch (error) {
      // Without it nobody is given way to from other processes.
      logger.debug('maildrop is not watched', { folder: this.#folder, error })
    }
  }
  /** Undefined: no. */
  async #answer(leaving: MaildropRequest['holder'] | undefined): Promise<void> {
    if (this.#watch === undefined || (await this.#parts.files.stat(this.#question)) === undefined || this.#leaves) return
    this.#leaves = leaving !== undefined
    if (leaving === undefined) await this.#withdraw()
    else leaving.giveWay()
  }
  async #withdraw(): Promise<void> {
    // Whoever asks and whoever answers may both do it.
    await this.#parts.files.unlink(this.#question).catch(() => undefined)
  }
}
