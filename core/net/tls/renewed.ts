import { stat } from 'node:fs/promises'

/** How often, at most, somebody who asks has the files looked at. */
const LOOK_AGAIN_MS = 5_000

/** What `read` makes of `paths`, made anew when one of them is another file or has changed. */
export interface RenewedOptions<T> {
  readonly paths: readonly string[]
  readonly read: () => Promise<T>
  /** A renewal that could not be read; what was read before stays in use. */
  readonly warn: (cause: unknown) => void
  readonly now: () => number
}

/** Something that is kept in files which others renew while we run. */
export class Renewed<T> {
  readonly #options: RenewedOptions<T>
  #found: T | undefined
  #stamp = ''
  #lookedAt = -Infinity
  #looking: Promise<void> | undefined

  constructor(options: RenewedOptions<T>) {
    this.#options = options
  }

  /**
   * The same value as long as the files are the same.
   * @throws what `read` throws, as long as it never succeeded.
   */
  async find(): Promise<T> {
    const now = this.#options.now()
    if (this.#found === undefined || now - this.#lookedAt >= LOOK_AGAIN_MS) {
      this.#looking ??= this.#look(now).finally(() => {
        this.#looking = undefined
      })
      await this.#looking
    }
    if (this.#found === undefined) throw new Error('nothing was read')
    return this.#found
  }

  async #look(now: number): Promise<void> {
    const { paths, read, warn } = this.#options
    try {
      const stamp = await stampOf(paths)
      if (stamp !== this.#stamp || this.#found === undefined) {
        this.#found = await read()
        this.#stamp = stamp
      }
    } catch (cause) {
      if (this.#found === undefined) throw cause
      warn(cause)
    }
    this.#lookedAt = now
  }
}

async function stampOf(paths: readonly string[]): Promise<string> {
  const stats = await Promise.all(paths.map((path) => stat(path, { bigint: true })))
  return stats.map((s) => `${s.dev}:${s.ino}:${s.size}:${s.mtimeNs}`).join(' ')
}
