import type { Files, OpenFile } from '../../core/api/index.js'

/** The same object, but for some of its methods. */
export function but<T extends object>(whole: T, change: Partial<T>): T {
  return new Proxy(whole, {
    get(target, key) {
      const changed: unknown = Reflect.get(change, key)
      if (changed !== undefined) return changed
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
/** The same files; of those that are opened some calls are in other hands. */
export function withOpened(files: Files, change: (file: OpenFile) => Partial<OpenFile>): Files {
  return but(files, {
    async open(path, how) {
      const file = await files.open(path, how)
      return but(file, change(file))
    },
  })
}
/** All reads go the way of `read`. */
const waitingReads: Pick<OpenFile, 'readNow' | 'readSomeNow'> = { readNow: () => false, readSomeNow: () => undefined }
/** Something happens before each read that is not of a file's beginning. */
export function beforeReads(files: Files, happens: () => Promise<void>): Files {
  return withOpened(files, (file) => ({
    ...waitingReads,
    async read(into, at) {
      if (at > 0) await happens()
      return file.read(into, at)
    },
  }))
}
/** Counts octets read, so that a test sees what was scanned. */
export function countingReads(files: Files): { readonly files: Files; readonly read: () => number } {
  let octets = 0
  const counted = withOpened(files, (file) => ({
    ...waitingReads,
    async read(into, at) {
      const n = await file.read(into, at)
      octets += n
      return n
    },
  }))
  return { files: counted, read: () => octets }
}
/** Writes to one file are in other hands. */
export function withWrites(files: Files, path: string, write: (file: OpenFile, chunks: readonly Uint8Array[], at: number) => Promise<void>): Files {
  return withOpened(files, (file) => (file.path === path ? { write: (chunks, at) => write(file, chunks, at) } : {}))
}
