import type { Files, OpenFile } from '../../core/api/index.js'

/** A call that waits for its round. */
interface Asked {
  readonly begin: () => Promise<void>
  readonly tell: () => void
}

/**
 * Files that count how many steps are taken one after the other: what is asked at the same time is done in one round, and nobody hears of it before all of
 * the round is done. However long the disk takes, the number is the same.
 */
export function steppingFiles(under: Files): { readonly files: Files; readonly steps: () => number; readonly reset: () => void } {
  let steps = 0
  let asked: Asked[] = []
  let underWay = false
  async function round(): Promise<void> {
    const now = asked
    asked = []
    steps++
    await Promise.all(now.map(({ begin }) => begin()))
    underWay = false
    for (const { tell } of now) tell()
    // What they ask for next is a round of its own.
    await Promise.resolve()
    next()
  }
  function next(): void {
    if (underWay || asked.length === 0) return
    underWay = true
    setImmediate(() => void round())
  }
  function inRound<T>(call: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let tell = (): void => undefined
      const begin = async (): Promise<void> => {
        try {
          const value = await call()
          tell = () => resolve(value)
        } catch (error) {
          // What a call of the machine throws is an Error.
          tell = () => reject(error as Error)
        }
      }
      asked.push({ begin, tell: () => tell() })
      next()
    })
  }
  const file = (open: OpenFile): OpenFile => ({
    path: open.path,
    read: (into, at) => inRound(() => open.read(into, at)),
    readNow: (into, at) => open.readNow?.(into, at) === true,
    readSomeNow: (into, at) => open.readSomeNow?.(into, at),
    write: (chunks, at) => inRound(() => open.write(chunks, at)),
    truncate: (size) => inRound(() => open.truncate(size)),
    sync: () => inRound(() => open.sync()),
    stat: () => inRound(() => open.stat()),
    chmod: (mode) => inRound(() => open.chmod(mode)),
    setTimes: (atimeMs, mtimeMs) => inRound(() => open.setTimes(atimeMs, mtimeMs)),
    lock: (kind, mode) => open.lock(kind, mode),
    unlock: (kind) => open.unlock(kind),
    close: () => inRound(() => open.close()),
  })
  const files: Files = {
    open: async (path, how) => file(await inRound(() => under.open(path, how))),
    stat: (path) => inRound(() => under.stat(path)),
    lstat: (path) => inRound(() => under.lstat(path)),
    list: (path) => inRound(() => under.list(path)),
    realPath: (path) => inRound(() => under.realPath(path)),
    makeDirectory: (path, mode) => inRound(() => under.makeDirectory(path, mode)),
    removeDirectory: (path) => inRound(() => under.removeDirectory(path)),
    unlink: (path) => inRound(() => under.unlink(path)),
    rename: (from, to) => inRound(() => under.rename(from, to)),
    renameToFree: (from, to) => inRound(() => under.renameToFree(from, to)),
    link: (from, to) => inRound(() => under.link(from, to)),
    chmod: (path, mode) => inRound(() => under.chmod(path, mode)),
    setTimes: (path, atimeMs, mtimeMs) => inRound(() => under.setTimes(path, atimeMs, mtimeMs)),
    syncDirectory: (path) => inRound(() => under.syncDirectory(path)),
    watch: (path, changed) => under.watch(path, changed),
  }
  return { files, steps: () => steps, reset: () => void (steps = 0) }
}
