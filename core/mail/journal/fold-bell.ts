import { MailError, type Clock, type Files } from '../../api/index.js'
import { asMailFailure } from '../failures.js'

/** How often the bell is looked at, while something waits: a network file system gives no notice of what another machine does. */
const LOOK_MS = 2000
/** A process that does not hear the bell for so long is stopped, or cannot write the mailbox. */
const PATIENCE_MS = 10_000
const RING_AGAIN_MS = 250
/** A shorter wait is nothing to speak of. */
const SILENT_MS = 1000

/** Where the state of a mailbox lies. */
export interface BellParts {
  readonly files: Files
  readonly clock: Clock
  readonly folder: string
}
/** An empty file beside the journal; its times are the signal. It is not the journal itself, whose own process would wake up at each of its writes. */
const pathOf = (folder: string): string => `${folder}/wanted`

/** Asks the process that has the journal to write what waits in it into the mailbox. Nobody hears it while nothing waits. */
export async function ringBell({ files, clock, folder }: BellParts): Promise<void> {
  await files.setTimes(pathOf(folder), clock.now(), clock.now()).catch(() => undefined)
}

/** How the process that has the journal hears that another one waits for what is in it. */
export class FoldBell implements AsyncDisposable {
  readonly #parts: BellParts
  readonly #owes: () => boolean
  readonly #rung: () => void
  #hanging: Promise<void> | undefined
  #notices: Disposable | undefined
  #timer: Disposable | undefined
  #heardMs: number | undefined
  #ended = false
  /** `owes`: whether something waits. */
  constructor(parts: BellParts, owes: () => boolean, rung: () => void) {
    this.#parts = parts
    this.#owes = owes
    this.#rung = rung
  }
  /** From now on it is heard, as long as something waits. Who cannot hear it writes later. */
  hang(): void {
    this.#hanging ??= this.#hang().catch(() => void (this.#hanging = undefined))
    this.#lookLater()
  }
  async #hang(): Promise<void> {
    const { files, folder } = this.#parts
    const path = pathOf(folder)
    const file = await files.open(path, { write: true, create: 'if-missing', noFollow: true })
    await file.close()
    if (this.#ended) return
    try {
      this.#notices = files.watch(path, () => {
        if (this.#owes()) this.#rung()
      })
    } catch {
      // No more notices to be had on this machine: it is looked at.
    }
  }
  #lookLater(): void {
    if (this.#ended) return
    this.#timer ??= this.#parts.clock.after(LOOK_MS, () => {
      this.#timer = undefined
      if (this.#owes()) void this.#look()
    })
  }
  async #look(): Promise<void> {
    const stat = await this.#parts.files.stat(pathOf(this.#parts.folder)).catch(() => undefined)
    const heard = this.#heardMs
    this.#heardMs = stat?.mtimeMs
    if (heard !== undefined && heard !== this.#heardMs && this.#owes()) this.#rung()
    this.#lookLater()
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true
    await this.#hanging
    this.#notices?.[Symbol.dispose]()
    this.#timer?.[Symbol.dispose]()
  }
}

/** A process without the journal waits until the other one has written what is in it. */
export class FoldWait implements Disposable {
  readonly #parts: BellParts
  readonly #durable: boolean
  readonly #tell: (text: string) => void
  readonly #since: number
  #told = false
  #watch: Disposable | undefined
  /** What came before the watch may have been it. */
  #isNews = true
  #wake: () => void = () => undefined
  /** `durable`: changes survive a power failure. */
  constructor(parts: BellParts, durable: boolean, tell: (text: string) => void) {
    this.#parts = parts
    this.#durable = durable
    this.#tell = tell
    this.#since = parts.clock.steady()
    try {
      this.#watch = parts.files.watch(`${parts.folder}/journal`, () => {
        this.#isNews = true
        this.#wake()
      })
    } catch {
      // It is asked again and again.
    }
  }
  /**
   * Rings, and resolves when the journal may say something else.
   *
   * @throws MailError `in-use` when the other process has had its time.
   */
  async next(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts
    const waited = clock.steady() - this.#since
    if (waited >= PATIENCE_MS) throw new MailError('in-use', 'another process of the server does not write the flags of the mailbox that it has acknowledged')
    if (waited >= SILENT_MS && !this.#told) {
      this.#told = true
      this.#tell(`Waiting for another process of the server to write flags, for up to ${Math.ceil((PATIENCE_MS - waited) / 1000)} seconds...`)
    }
    await ringBell(this.#parts)
    if (!this.#isNews) await this.#pause(signal)
    this.#isNews = false
  }
  /**
   * When the journal has been read and says that it is done: that is on the disk now. What can be read may not be yet, and after a power failure the journal would be
   * laid over what is written to the mailbox next.
   */
  async settled(): Promise<void> {
    if (!this.#durable) return
    const { files, folder } = this.#parts
    try {
      const journal = await files.open(`${folder}/journal`)
      try {
        await journal.sync()
      } finally {
        await journal.close()
      }
      // It may be a new one.
      await files.syncDirectory(folder)
    } catch (error) {
      throw asMailFailure(error)
    }
  }
  async #pause(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const woken = new Promise<void>((resolve) => (this.#wake = resolve))
    const wake = (): void => this.#wake()
    using _again = this.#parts.clock.after(RING_AGAIN_MS, wake)
    signal.addEventListener('abort', wake, { once: true })
    await woken
    signal.removeEventListener('abort', wake)
  }
  [Symbol.dispose](): void {
    this.#watch?.[Symbol.dispose]()
  }
}
