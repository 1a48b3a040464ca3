import { mkdir, open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

/** What a slow disk may leave waiting. */
const MOST_WAITING_CHARACTERS = 4 * 1024 * 1024

/** Where one session is recorded. */
export interface SessionFileOptions {
  readonly directory: string
  readonly host: string
  readonly user: string
  readonly session: string
  readonly most: number
  readonly failed: (text: string) => void
}

/** One file of lines, written in order behind its session. When it cannot be written nothing more is tried. */
export class SessionFile {
  readonly #options: SessionFileOptions
  #waiting = ''
  #octets = 0
  #full = false
  #file: FileHandle | undefined
  #writing: Promise<void> | undefined

  constructor(options: SessionFileOptions) {
    this.#options = options
  }
  add(text: string): void {
    if (this.#full || text === '') return
    this.#octets += text.length
    if (this.#octets > this.#options.most || this.#waiting.length > MOST_WAITING_CHARACTERS) {
      this.#full = true
      this.#waiting += '-- not recorded from here on --\n'
    } else this.#waiting += text
    this.#writing ??= this.#drain()
  }
  async close(): Promise<void> {
    await this.#writing
    await this.#file?.close()
  }

  async #drain(): Promise<void> {
    // The lines of one turn go together.
    await new Promise((resolve) => setImmediate(resolve))
    try {
      this.#file ??= await this.#open()
      while (this.#waiting !== '') {
        const text = this.#waiting
        this.#waiting = ''
        await this.#file.appendFile(text, 'latin1')
      }
    } catch (error) {
      this.#full = true
      this.#waiting = ''
      this.#options.failed(`cannot write the transcript of session ${this.#options.session}: ${error instanceof Error ? error.message : String(error)}`)
    }
    this.#writing = undefined
  }
  /** The mail of people is in it: nobody but the server's account may read it. */
  async #open(): Promise<FileHandle> {
    const { directory, host, user, session } = this.#options
    const folder = join(directory, named(host), named(user))
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const time = new Date().toISOString().replaceAll(/[-:]/g, '').replace(/\..*$/, '')
    return open(join(folder, `${time}-${named(session)}.log`), 'wx', 0o600)
  }
}

/** A name as one part of a path: no separator, not hidden, not the folder above. */
function named(name: string): string {
  const safe = encodeURIComponent(name).replaceAll('%40', '@').replace(/^\./, '%2E')
  return safe.slice(0, 200)
}
