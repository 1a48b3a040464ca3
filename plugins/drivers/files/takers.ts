import { isSameFile, type FileIdentity, type FileStat } from 'mailwright/api'

/** Files of which it is remembered which format took them. */
const REMEMBERED = 4096
type Seen = FileIdentity & Pick<FileStat, 'size'>

/**
 * Formats by the files that they took, for all logins of a host: who took a file is asked first the next time, and formats before it in the list are not
 * asked again to look into a file that they did not know. What only grew still begins as it did.
 */
export class Takers<F> {
  readonly #known = new Map<string, Seen & { readonly format: F }>()

  of(path: string, now: FileStat): F | undefined {
    const known = this.#known.get(path)
    return known !== undefined && isSameFile(known, now) && known.size <= now.size ? known.format : undefined
  }
  took(path: string, { device, inode, bornMs, size }: Seen, format: F): void {
    this.#known.delete(path)
    this.#known.set(path, { device, inode, bornMs, size, format })
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= REMEMBERED) break
      this.#known.delete(oldest)
    }
  }
}
