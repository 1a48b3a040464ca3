import type { Files, MailboxFormat, OpenFile } from '../../core/api/index.js'
import { isOutOfRoom } from '../../plugins/formats/shared/changes/safe-changes.js'

/**
 * Files on a disk that is full, from when it is until it is not: a file grows only into what is left of its last block, and into blocks that are
 * free. What is cut off or removed is free again.
 */
export class FullDisk {
  readonly files: Files
  readonly block: number
  /** Blocks that are left; undefined: as many as one likes. */
  free: number | undefined
  /** What it says then: the disk is full, or the user has had his share. */
  code: 'ENOSPC' | 'EDQUOT' = 'ENOSPC'
  constructor(files: Files, block: number) {
    this.block = block
    this.files = withMethods(files, {
      open: async (...args: Parameters<Files['open']>) => this.#file(await files.open(...args)),
      unlink: async (path: string) => {
        const there = this.free === undefined ? undefined : await files.lstat(path)
        await files.unlink(path)
        if (there?.links === 1) this.#give(there.size, 0)
      },
    })
  }
  #blocks(octets: number): number {
    return Math.ceil(octets / this.block)
  }
  #give(from: number, to: number): void {
    if (this.free !== undefined) this.free += Math.max(0, this.#blocks(from) - this.#blocks(to))
  }
  #file(file: OpenFile): OpenFile {
    return withMethods(file, {
      write: async (chunks: readonly Uint8Array[], at: number) => {
        if (this.free === undefined) return file.write(chunks, at)
        const octets = Buffer.concat(chunks)
        const has = this.#blocks((await file.stat()).size)
        const wanted = Math.max(0, this.#blocks(at + octets.length) - has)
        if (wanted <= this.free) {
          this.free -= wanted
          return file.write([octets], at)
        }
        const part = octets.subarray(0, Math.max(0, (has + this.free) * this.block - at))
        this.free = 0
        if (part.length > 0) await file.write([part], at)
        throw Object.assign(new Error(`${this.code}: write '${file.path}'`), { code: this.code })
      },
      truncate: async (size: number) => {
        this.#give((await file.stat()).size, size)
        await file.truncate(size)
      },
    })
  }
}
/** The same object but for some methods. */
export function withMethods<T extends object>(object: T, methods: Partial<T>): T {
  return new Proxy(object, {
    get(target, key) {
      const value: unknown = Reflect.get(key in methods ? methods : target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/**
 * A format whose mailboxes are expunged, and their flags written, on a full disk: without the room that redo files have from before, and with so many
 * blocks that are free. In a format whose mailboxes may become longer by it, what they are not enough for is done again on a disk that is not full.
 */
export function expungingWhenFull(disk: FullDisk, redoFolder: string, { free, grows }: { readonly free: number; readonly grows: boolean }, format: MailboxFormat): MailboxFormat {
  const whenFull = <A extends unknown[], R>(work: (...args: A) => Promise<R>) => async (...args: A): Promise<R> => {
    await emptyRedoFiles(disk.files, redoFolder)
    disk.free = free
    try {
      return await work(...args)
    } catch (error) {
      // What needs more than there is, such as flags that make a mailbox longer, is done when there is room.
      if (!grows || !isOutOfRoom(error)) throw error
      disk.free = undefined
      return await work(...args)
    } finally {
      disk.free = undefined
    }
  }
  const open = format.open.bind(format)
  format.open = async (...args) => {
    const source = await open(...args)
    source.expunge = whenFull(source.expunge.bind(source))
    if (source.checkpoint !== undefined) source.checkpoint = whenFull(source.checkpoint.bind(source))
    return source
  }
  return format
}
let emptied = 0
/** Those that say nothing have room for what others write down. */
async function emptyRedoFiles(files: Files, folder: string): Promise<void> {
  if ((await files.stat(folder)) === undefined) return
  for (const { name } of await files.list(folder)) {
    const file = await files.open(`${folder}/${name}`, { write: true })
    try {
      const magic = Buffer.alloc(8)
      await file.read(magic, 0)
      if (!magic.every((octet) => octet === 0)) continue
      await file.truncate(0)
      // The clock of the test stands still: on a machine a file that somebody changes has another time than before.
      const { mtimeMs } = await file.stat()
      await file.setTimes(mtimeMs, mtimeMs + ++emptied)
    } finally {
      await file.close()
    }
  }
}
