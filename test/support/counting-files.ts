import type { Files, OpenFile } from '../../core/api/index.js'

/** What was asked of the files since the last `reset`. */
export interface Counts {
  readonly calls: number
  /** Octets that were read and written. */
  readonly octets: number
  /** Names that listings told. */
  readonly names: number
}
/** Files that count what is asked of them. */
export function countingFiles(under: Files): { readonly files: Files; readonly counts: () => Counts; readonly reset: () => void } {
  const nothing = { calls: 0, octets: 0, names: 0 }
  let now = { ...nothing }
  const file = (open: OpenFile): OpenFile => ({
    path: open.path,
    ...(open.shared !== undefined && { shared: open.shared }),
    read: async (into, at) => {
      now.calls++
      const got = await open.read(into, at)
      now.octets += got
      return got
    },
    readNow: (into, at) => {
      const done = open.readNow?.(into, at) === true
      if (done) {
        now.calls++
        now.octets += into.length
      }
      return done
    },
    readSomeNow: (into, at) => {
      const got = open.readSomeNow?.(into, at)
      if (got !== undefined) {
        now.calls++
        now.octets += got
      }
      return got
    },
    write: (chunks, at) => {
      now.calls++
      now.octets += chunks.reduce((sum, chunk) => sum + chunk.length, 0)
      return open.write(chunks, at)
    },
    truncate: (size) => counted(() => open.truncate(size)),
    sync: () => counted(() => open.sync()),
    stat: () => counted(() => open.stat()),
    chmod: (mode) => counted(() => open.chmod(mode)),
    setTimes: (atimeMs, mtimeMs) => counted(() => open.setTimes(atimeMs, mtimeMs)),
    lock: (kind, mode) => counted(() => open.lock(kind, mode)),
    unlock: (kind) => counted(() => open.unlock(kind)),
    close: () => counted(() => open.close()),
  })
  const counted = <T>(work: () => T): T => {
    now.calls++
    return work()
  }
  const borrow = under.borrow?.bind(under)
  const files: Files = {
    open: async (path, how) => file(await counted(() => under.open(path, how))),
    ...(borrow && { borrow: (path: string, shared: number) => file(borrow(path, shared)) }),
    stat: (path) => counted(() => under.stat(path)),
    lstat: (path) => counted(() => under.lstat(path)),
    list: async (path) => {
      const names = await counted(() => under.list(path))
      now.names += names.length
      return names
    },
    realPath: (path) => counted(() => under.realPath(path)),
    makeDirectory: (path, mode) => counted(() => under.makeDirectory(path, mode)),
    removeDirectory: (path) => counted(() => under.removeDirectory(path)),
    unlink: (path) => counted(() => under.unlink(path)),
    rename: (from, to) => counted(() => under.rename(from, to)),
    renameToFree: (from, to) => counted(() => under.renameToFree(from, to)),
    link: (from, to) => counted(() => under.link(from, to)),
    chmod: (path, mode) => counted(() => under.chmod(path, mode)),
    setTimes: (path, atimeMs, mtimeMs) => counted(() => under.setTimes(path, atimeMs, mtimeMs)),
    syncDirectory: (path) => counted(() => under.syncDirectory(path)),
    watch: (path, changed) => counted(() => under.watch(path, changed)),
  }
  return { files, counts: () => ({ ...now }), reset: () => void (now = { ...nothing }) }
}
