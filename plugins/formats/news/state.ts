import { failedWith } from 'mailwright/api'
import type { Files, Turns } from 'mailwright/api'
import { folderOf, nameOf } from '../shared/locks/lock-context.js'

/** The state file of one user. */
export class NewsState {
  readonly path: string
  readonly #files: Files
  readonly #turns: Turns
  readonly #durable: boolean
  constructor(path: string, files: Files, turns: Turns, durable: boolean) {
    this.path = path
    this.#files = files
    this.#turns = turns
    this.#durable = durable
  }
  /** Undefined when there is none yet. */
  async text(): Promise<string | undefined> {
    try {
      const file = await this.#files.open(this.path)
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
    const stat = await this.#files.stat(this.path)
    return stat === undefined ? 'none' : `${stat.inode} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`
  }
  /** Replaces the file at once; the one before stays as `.old`, as other news readers keep it. */
  change(work: (text: string) => string): Promise<void> {
    return this.#turns.run(this.path, async () => {
      const before = await this.text()
      const after = work(before ?? '')
      if (after === before) return
      if (before !== undefined) await this.#put(`${this.path}.old`, before)
      // A file that is a link stays one: what it leads to is replaced.
      const path = (await this.#files.lstat(this.path))?.kind === 'symlink' ? await this.#files.realPath(this.path) : this.path
      await this.#put(path, after)
      if (this.#durable) await this.#files.syncDirectory(folderOf(path))
    })
  }
  async #put(path: string, text: string): Promise<void> {
    const fresh = `${folderOf(path)}/.mailwright-${nameOf(path)}`
    const file = await this.#files.open(fresh, { write: true, create: 'if-missing', mode: 0o600 })
    try {
      await file.truncate(0)
      await file.write([Buffer.from(text, 'latin1')], 0)
      if (this.#durable) await file.sync()
    } finally {
      await file.close()
    }
    await this.#files.rename(fresh, path)
  }
}
