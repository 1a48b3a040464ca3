/** One after the other by key (a path, an account), within this process. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()
  /** Runs when every earlier one of the same key has ended, however it ended. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve()
    const running = before.then(work, work)
    this.#last.set(key, running)
    try {
      return await running
    } finally {
      if (this.#last.get(key) === running) this.#last.delete(key)
    }
  }
  /** When what was begun so far under this key, or at all, has ended. */
  async ended(key?: string): Promise<void> {
    const waited = key === undefined ? [...this.#last.values()] : [this.#last.get(key)]
    await Promise.allSettled(waited)
  }
}
