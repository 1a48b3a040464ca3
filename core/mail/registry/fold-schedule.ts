import { diskFaultOf } from '../failures.js'
import { FoldBell } from '../journal/fold-bell.js'
import type { DiskParts } from './kept.js'
import type { SharedMailbox } from './shared-mailbox.js'

/**
 * When what waits in the journal of one mailbox is written into it though no client asks: some time after the last change, and as soon as another process wants it.
 * What is acknowledged is safe in the journal, however long it takes. No client of this process waits for it.
 */
export class FoldSchedule implements AsyncDisposable {
  readonly #parts: DiskParts
  readonly #owes: () => boolean
  #lastChange = 0
  #timer: Disposable | undefined
  #bell: FoldBell | undefined
  /** A fold has its turn, or waits for it. */
  #folding = false
  /** `owes`: whether something waits. */
  constructor(parts: DiskParts, owes: () => boolean) {
    this.#parts = parts
    this.#owes = owes
  }
  /** There was a change just now, or an attempt that failed. */
  later(mailbox: SharedMailbox): void {
    const { clock, settings } = this.#parts
    this.#lastChange = clock.steady()
    this.#bell ??= new FoldBell(this.#parts, this.#owes, () => this.#fold(mailbox))
    this.#bell.hang()
    this.#timer ??= clock.after(settings.checkpointDelayMs, () => {
      this.#timer = undefined
      if (!this.#owes() || mailbox.gone !== undefined) return
      if (clock.steady() - this.#lastChange < settings.checkpointDelayMs) {
        this.later(mailbox)
        return
      }
      this.#fold(mailbox)
    })
  }
  #fold(mailbox: SharedMailbox): void {
    // Each may wait long for the mailbox, and sessions behind it; one writes all, however often somebody rings.
    if (this.#folding || mailbox.gone !== undefined) return
    this.#folding = true
    const { logger, key, user, mbx } = this.#parts
    void mailbox
      .checkpoint(mailbox.signal)
      .catch((error: unknown) => {
        const fault = diskFaultOf(error)
        if (fault === undefined) logger.warn('mail.checkpoint-failed', { key, error })
        else logger.error('Retrying after disk error', { user, host: 'UNKNOWN', mbx, text: fault })
        this.later(mailbox)
      })
      .finally(() => (this.#folding = false))
  }
  /** No timer is left; a later change sets one again. */
  stop(): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop()
    await this.#bell?.[Symbol.asyncDispose]()
  }
}
