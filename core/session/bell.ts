/**
 * Wakes at most one sleeper: `ring` before `wait` is remembered, so that nothing is missed between looking and waiting.
 */
export class Bell {
  #rung = false
  #sleeper: (() => void) | undefined

  ring(): void {
    const sleeper = this.#sleeper
    if (sleeper === undefined) this.#rung = true
    else {
      this.#sleeper = undefined
      sleeper()
    }
  }
  /** Resolves at once when it has rung since the last wait; rejects with the signal's reason. */
  async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#rung) {
      this.#rung = false
      return
    }
    await new Promise<void>((resolve, reject) => {
      const stop = (): void => {
        this.#sleeper = undefined
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', stop, { once: true })
      this.#sleeper = () => {
        signal.removeEventListener('abort', stop)
        resolve()
      }
    })
  }
}
