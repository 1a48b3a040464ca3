/**
 * Notices that a file may have changed, less those of changes that were made here: each would cost whoever hears it a look that finds nothing. A
 * notice of another's change is never lost, since what counts is how the file is found after the notice.
 */
export class OwnNotices {
  readonly #isAsLeft: () => Promise<boolean>
  #atWork = 0
  #waiting: (() => void) | undefined

  /** `isAsLeft`: whether the file is as the last change here left it, by a look that begins now. */
  constructor(isAsLeft: () => Promise<boolean>) {
    this.#isAsLeft = isAsLeft
  }
  /** Runs a change; when it resolves, what it left is known. Notices meanwhile wait for that. */
  async during<T>(change: () => Promise<T>): Promise<T> {
    this.#atWork++
    try {
      return await change()
    } finally {
      this.#atWork--
      const changed = this.#waiting
      this.#waiting = undefined
      if (changed !== undefined) this.heard(changed)
    }
  }
  heard(changed: () => void): void {
    if (this.#atWork > 0) this.#waiting = changed
    else void this.#tell(changed)
  }
  async #tell(changed: () => void): Promise<void> {
    // What cannot be looked at is for the listener to find out.
    if (!(await this.#isAsLeft().catch(() => false))) changed()
  }
}
