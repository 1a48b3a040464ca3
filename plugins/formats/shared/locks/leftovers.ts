import { failedWith } from 'mailwright/api'
import type { FileLocks } from './locks.js'

/** `BOX.lock.SECONDS.PID.HOST`: what is linked to the name of a lock, for some milliseconds. */
const POST = /\.lock\.(\d+)\.(\d+)\.(.+)$/
/** Folders whose names are kept; a server with more looks at some again. */
const REMEMBERED = 10_000

/** Removes hitching posts that processes of this machine left behind when they were killed; each folder is looked at once. */
export class Leftovers {
  readonly #seen = new Set<string>()

  async sweep(ctx: FileLocks, folder: string): Promise<void> {
    if (this.#seen.has(folder)) return
    if (this.#seen.size >= REMEMBERED) this.#seen.clear()
    this.#seen.add(folder)
    try {
      for (const { name, kind } of await ctx.files.list(folder)) if (kind === 'file' && isLeft(ctx, name)) await ctx.files.unlink(`${folder}/${name}`)
    } catch (error) {
      // Locking goes on without it; what others removed in between is gone as well.
      if (!failedWith(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'EROFS')) throw error
    }
  }
}
/** A post is no lock: the process that made it, should it live after all, finds that its link failed and tries again. */
function isLeft({ machine, clock, settings }: FileLocks, name: string): boolean {
  const [, seconds = '', digits = '', host] = POST.exec(name) ?? []
  if (host !== machine.host) return false
  const madeMs = Number(seconds) * 1000
  const pid = Number(digits)
  if (madeMs + settings.dotlockTimeoutMs < clock.now()) return true
  return pid === machine.pid ? madeMs + 1000 < machine.bornMs : pid > 0 && !machine.exists(pid)
}
