import type { Clock, FileStat } from 'mailwright/api'

/** Mailboxes of which it is remembered. */
const REMEMBERED = 4096
/** A folder that was changed later than this may be changed once more in the same tick of its file system's clock, which may be two seconds. */
const SETTLED_MS = 2000

/**
 * Identities of metadata files, by the state of the folder that each is in: no name in a folder comes, goes or changes its meaning without a new time
 * of change. Only of plain files; what a symbolic link leads to can change without a word.
 */
export class MetaFiles {
  readonly #clock: Clock
  readonly #known = new Map<string, Pick<FileStat, 'device' | 'inode' | 'ctimeMs'> & { readonly meta: number }>()
  constructor(clock: Clock) {
    this.#clock = clock
  }
  /** Inode of the metadata file of a folder that was found like this just now; undefined when that is not known. */
  of(path: string, { device, inode, ctimeMs }: FileStat): number | undefined {
    const known = this.#known.get(path)
    return known?.device === device && known.inode === inode && known.ctimeMs === ctimeMs ? known.meta : undefined
  }
  /** The metadata file was looked at after its folder was found like this. */
  learn(path: string, { device, inode, ctimeMs }: FileStat, meta: number): void {
    this.#known.delete(path)
    if (this.#clock.now() - ctimeMs < SETTLED_MS) return
    this.#known.set(path, { device, inode, ctimeMs, meta })
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= REMEMBERED) break
      this.#known.delete(oldest)
    }
  }
}
