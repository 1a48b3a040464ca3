import type { MailEvent, MailEvents } from '../api/index.js'

/** The events of one host. A handler that throws does not keep the news from the others. */
export class HostEvents implements MailEvents {
  readonly #handlers = new Set<(e: MailEvent) => void>()
  readonly #failed: (error: unknown) => void
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed
  }
  on(handler: (e: MailEvent) => void): Disposable {
    const own = (e: MailEvent): void => handler(e)
    this.#handlers.add(own)
    return { [Symbol.dispose]: () => void this.#handlers.delete(own) }
  }
  emit(e: MailEvent): void {
    for (const handler of this.#handlers) {
      try {
        handler(e)
      } catch (error) {
        this.#failed(error)
      }
    }
  }
}
