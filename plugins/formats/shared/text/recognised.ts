import type { FileStat } from 'mailwright/api'

/** Mailboxes of which it is remembered that they are some. */
const REMEMBERED = 1024
type Recognised = Pick<FileStat, 'device' | 'inode' | 'size'>

/** Files that were mailboxes of the format when they were last looked at, by path, so that the next look needs only a stat. */
export class RecognisedFiles {
  readonly #known = new Map<string, Recognised>()

  /** The file is the one that was looked at. */
  isSame(path: string, { device, inode }: Pick<FileStat, 'device' | 'inode'>): boolean {
    const known = this.#known.get(path)
    return known !== undefined && known.device === device && known.inode === inode
  }
  /** What was a mailbox and only grew still begins as one. */
  onlyGrew(path: string, stat: Recognised): boolean {
    return this.isSame(path, stat) && (this.#known.get(path)?.size ?? 0) <= stat.size
  }
  /** Another program may have rewritten it in another format. */
  forget(path: string): void {
    this.#known.delete(path)
  }
  remember(path: string, { device, inode, size }: Recognised): void {
    this.#known.delete(path)
    this.#known.set(path, { device, inode, size })
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= REMEMBERED) break
      this.#known.delete(oldest)
    }
  }
}
