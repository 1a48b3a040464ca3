import { settle } from './imap-client.js'

/** Sessions that a test began, so that it ends with none. */
export class RunningSessions {
  readonly #log: { readonly lines: string[] }
  readonly #running = new Set<Promise<void>>()
  readonly #links: { abort(reason: string): void }[] = []
  /** `log`: takes failures. */
  constructor(log: { readonly lines: string[] }) {
    this.#log = log
  }
  add(link: { abort(reason: string): void }, running: Promise<unknown>): void {
    this.#links.push(link)
    const done = running.then(
      () => undefined,
      (error: unknown) => {
        this.#log.lines.push(`failed ${String(error)}`)
      },
    )
    this.#running.add(done)
    void done.then(() => this.#running.delete(done))
  }
  async end(): Promise<void> {
    for (const link of this.#links) link.abort('the test is over')
    await Promise.all(this.#running)
    await settle(2)
  }
}
