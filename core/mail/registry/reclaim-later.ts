import type { Clock } from '../../api/index.js'

/** Whoever goes on with the mailbox right behind an EXPUNGE, or closes it, does not wait; and several EXPUNGEs have it done once. */
const AFTER_MS = 250

/** Has the space of removed messages taken back, some time after the last session heard that they went. */
export class ReclaimLater {
  readonly #clock: Clock
  readonly #reclaim: () => void
  #owed = false
  #later: Disposable | undefined
  constructor(clock: Clock, reclaim: () => void) {
    this.#clock = clock
    this.#reclaim = reclaim
  }
  /** Messages were removed. */
  owe(): void {
    this.#owed = true
  }
  /** They are nobody's any more. */
  begin(): void {
    if (this.#owed) this.#later ??= this.#clock.after(AFTER_MS, () => this.now())
  }
  /** Does at once what was begun. */
  now(): void {
    if (this.#later === undefined) return
    this.drop()
    this.#owed = false
    this.#reclaim()
  }
  /** There is nothing to be taken back any more. */
  drop(): void {
    this.#later?.[Symbol.dispose]()
    this.#later = undefined
  }
}
