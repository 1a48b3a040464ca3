import { isSameFile, type FileIdentity, type FileStat } from 'mailwright/api'

/** Mailboxes of which it is remembered that they are some. */
const REMEMBERED = 1024
type Recognised = FileIdentity & Pick<FileStat, 'size'>

/** Files that were mailboxes of the format when they were last looked at, by path, so that the next look needs only a stat. */
export class RecognisedFiles {
  readonly #known = new Map<string, Recognised>()

  /** The file is the one that was looked at. */
  isSame(path: string, stat: FileIdentity): boolean {
    const known = this.#known.get(path)
    return known !== undefined && isSameFile(known, stat)
  }
  /** What was a mailbox and only grew still begins as one. */
  onlyGrew(path: string, stat: Recognised): boolean {
    return this.isSame(path, stat) && (this.#known.get(path)?.size ?? 0) <= stat.size
  }
  /** Another program may have rewritten it in another format. */
  forget(path: string): void {
    this.#known.delete(path)
  }
  remember(path: string, { device, inode, bornMs, size }: Recognised): void {
    this.#known.delete(path)
    this.#known.set(path, { device, inode, bornMs, size })
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= REMEMBERED) break
      this.#known.delete(oldest)
    }
  }
}
