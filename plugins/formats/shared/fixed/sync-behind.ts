import { reasonOf } from '../locks/lock-context.js'
import type { FixedContext } from './context.js'
import type { FixedFile } from './fixed-file.js'

/** The mailbox is synced so long after a change, when nobody waits for it; and where that failed it is tried again. */
const BEHIND_MS = 1000
const AGAIN_MS = 30_000
/** At the end others are waited for so long; whoever looks at the mailbox next finishes it then. */
const LAST_MS = 5000

/** Syncs a mailbox of which changes are ahead in their log, and gives back the room of large ones, some time later. The file is held open until that is done. */
export class SyncBehind {
  readonly #file: FixedFile
  readonly #ctx: Pick<FixedContext, 'clock' | 'locks'>
  readonly #closing = new AbortController()
  #owed = false
  #later: Disposable | undefined
  #underWay: Promise<void> = Promise.resolve()

  constructor(file: FixedFile, ctx: Pick<FixedContext, 'clock' | 'locks'>) {
    this.#file = file
    this.#ctx = ctx
  }
  /** There is something to be finished. */
  owe(): void {
    this.#owed = true
    this.#in(BEHIND_MS)
  }
  #in(ms: number): void {
    if (this.#closing.signal.aborted) return
    this.#later ??= this.#ctx.clock.after(ms, () => {
      this.#later = undefined
      // One after the other, so that whoever closes waits for all.
      this.#underWay = this.#underWay.then(() => this.#finish(this.#closing.signal))
    })
  }
  /** First without locks, so that nobody waits for most of it. */
  async #finish(signal: AbortSignal): Promise<void> {
    this.#owed = false
    try {
      await this.#file.syncBehind()
      await this.#file.locked(signal, () => undefined, (held) => this.#file.finishLater(held))
    } catch (error) {
      this.#owed = true
      // Its end is why it was not done.
      if (signal.aborted) return
      this.#ctx.locks.logger.warn(`Mailbox ${this.#file.path} sync failure: ${reasonOf(error)}`)
      this.#in(AGAIN_MS)
    }
  }
  /** Finishes what is owed, and nothing later. */
  async close(): Promise<void> {
    this.#later?.[Symbol.dispose]()
    this.#later = undefined
    this.#closing.abort()
    await this.#underWay
    if (!this.#owed) return
    const giveUp = new AbortController()
    using _limit = this.#ctx.clock.after(LAST_MS, () => giveUp.abort())
    await this.#finish(giveUp.signal)
  }
}
