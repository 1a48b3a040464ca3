import { failedWith, MailError } from 'mailwright/api'
import type { Clock, Files, OpenFile, Turns } from 'mailwright/api'
import { folderOf, nameOf, pause } from '../shared/locks/lock-context.js'
import { lockFresh } from '../shared/making.js'

/** A change takes milliseconds. */
const PATIENCE_MS = 10_000
const TRY_AGAIN_MS = 20
const MODE = 0o600

/** What the state files of a host's users need. */
export interface NewsParts {
  readonly files: Files
  readonly clock: Clock
  /** Changes survive a power failure. */
  readonly durable: boolean
}

/** The state file of one user. */
export class NewsState {
  readonly path: string
  readonly #parts: NewsParts
  readonly #turns: Turns
  constructor(path: string, parts: NewsParts, turns: Turns) {
    this.path = path
    this.#parts = parts
    this.#turns = turns
  }
  /** Undefined when there is none yet. */
  async text(): Promise<string | undefined> {
    try {
      const file = await this.#parts.files.open(this.path)
      try {
        const bytes = Buffer.alloc((await file.stat()).size)
        return bytes.toString('latin1', 0, await file.read(bytes, 0))
      } finally {
        await file.close()
      }
    } catch (error) {
      if (failedWith(error, 'ENOENT', 'ENOTDIR')) return undefined
      throw error
    }
  }
  async stat(): Promise<string> {
    const stat = await this.#parts.files.stat(this.path)
    return stat === undefined ? 'none' : `${stat.inode} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`
  }
  /** Replaces the file at once; the one before stays as `.old`, as other news readers keep it. Processes of the server take turns. */
  change(work: (text: string) => string): Promise<void> {
    return this.#turns.run(this.path, async () => {
      const { files, durable } = this.#parts
      // A file that is a link stays one: what it leads to is replaced.
      const path = (await files.lstat(this.path))?.kind === 'symlink' ? await files.realPath(this.path) : this.path
      const fresh = await this.#claim(path)
      try {
        const before = await this.text()
        const after = work(before ?? '')
        if (after === before) await files.unlink(fresh.path)
        else {
          if (before !== undefined) await this.#keep(before)
          await this.#fill(fresh, after)
          await files.rename(fresh.path, path)
        }
      } catch (error) {
        await files.unlink(fresh.path).catch(() => undefined)
        throw error
      } finally {
        await fresh.close()
      }
      if (durable) await files.syncDirectory(folderOf(path))
    })
  }
  /**
   * The file that gets the name when it is whole, locked until it is closed: whoever has it changes what is there, and nobody else does meanwhile.
   *
   * @throws MailError `in-use` when another process has it for too long.
   */
  async #claim(path: string): Promise<OpenFile> {
    const { files, clock } = this.#parts
    const name = freshNameOf(path)
    const { signal } = new AbortController()
    for (const deadline = clock.steady() + PATIENCE_MS; ; ) {
      const file = await lockFresh(files, name, MODE)
      if (file !== undefined) return file
      if (clock.steady() >= deadline) throw new MailError('in-use', `${path} is being changed by another process for ${PATIENCE_MS / 1000} s`)
      await pause(clock, TRY_AGAIN_MS, signal)
    }
  }
  async #keep(text: string): Promise<void> {
    const { files } = this.#parts
    const path = `${this.path}.old`
    const file = await files.open(freshNameOf(path), { write: true, create: 'if-missing', noFollow: true, mode: MODE })
    await this.#fill(file, text).finally(() => file.close())
    await files.rename(file.path, path)
  }
  async #fill(file: OpenFile, text: string): Promise<void> {
    await file.truncate(0)
    await file.write([Buffer.from(text, 'latin1')], 0)
    if (this.#parts.durable) await file.sync()
  }
}
function freshNameOf(path: string): string {
  return `${folderOf(path)}/.mailwright-${nameOf(path)}`
}
