/**
 * One after the other by key, within this process: the sessions of one server take turns here instead of meeting at a
 * lock file and waiting for its retries.
 */
export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  /** Runs when every earlier one of the same key has ended, however it ended. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve()
    const running = before.then(work)
    const ended = running.then(
      () => undefined,
      () => undefined,
    )
    this.#last.set(key, ended)
    try {
      return await running
    } finally {
      if (this.#last.get(key) === ended) this.#last.delete(key)
    }
  }
}
