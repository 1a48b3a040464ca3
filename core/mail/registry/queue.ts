import { throwIfCancelled } from '../failures.js'

/** Operations on one mailbox, one after the other, in the order in which they were asked. */
export class OperationQueue {
  #last: Promise<void> = Promise.resolve()
  #waiting = 0
  get busy(): boolean {
    return this.#waiting > 0
  }
  /** Runs when all before it have ended. An operation whose signal is given while it waits is not begun. */
  run<T>(operation: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#waiting++
    const result = this.#last.then(() => {
      if (signal !== undefined) throwIfCancelled(signal)
      return operation()
    })
    this.#last = result.then(
      () => void this.#waiting--,
      () => void this.#waiting--,
    )
    return result
  }
  /** Resolves when everything asked so far has ended. */
  async idle(): Promise<void> {
    await this.#last
  }
}
