import { failedWith, MailError, Turns } from 'mailwright/api'

/** Without a change for so long a lock of another machine is taken to be left behind; Dovecot waits as long. */
const STALE_MS = 120_000
/** The same for one of a process of this machine that is alive: after a restart another one may have its number. */
const LIVE_STALE_MS = 3_600_000
/** A lock that says nothing was on its way when the machine stopped. */
const EMPTY_MS = 2_000
const TIMEOUT_MS = 150_000
/** By the files of a process: its operations on one folder wait for each other here, since their locks say one number and, where flock is not to be had, nothing else. */
const turnsOf = new WeakMap()

/**
 * Runs with `dovecot-uidlist.lock` held, which Dovecot makes too: `PID:HOST`, gone when it is given back. Processes of this kind keep flock on it as
 * well, so that one that was killed is told from one that works.
 */
export function withListLock(ctx, folder, signal, work) {
  const path = `${folder}/dovecot-uidlist.lock`
  const deadline = ctx.clock.steady() + TIMEOUT_MS
  if (!turnsOf.has(ctx.files)) turnsOf.set(ctx.files, new Turns())
  return turnsOf.get(ctx.files).run(path, () => withLock(ctx, path, { signal, deadline }, work))
}
async function withLock(ctx, path, until, work) {
  const { files } = ctx
  const lock = await take(ctx, path, until)
  try {
    return await work()
  } finally {
    try {
      const [mine, there] = [await lock.stat(), await files.stat(path)]
      if (there?.inode === mine.inode) await files.unlink(path)
    } catch {
      // The work is done. A lock that stays is seen to be left behind, because nobody keeps flock on it.
    } finally {
      await lock.close()
    }
  }
}
async function take(ctx, path, { signal, deadline }) {
  const { files, clock, machine } = ctx
  for (let pauseMs = 2; ; pauseMs = Math.min(100, pauseMs * 2)) {
    signal.throwIfAborted()
    try {
      const lock = await files.open(path, { write: true, create: 'new' })
      try {
        // Somebody may be looking whether it was left behind; that takes no time.
        while (lock.lock('flock', 'exclusive') === 'busy') await new Promise((resolve) => clock.after(1, resolve))
        await lock.write([Buffer.from(`${machine.pid}:${machine.host}`)], 0)
        return lock
      } catch (error) {
        await files.unlink(path).catch(() => undefined)
        await lock.close()
        throw error
      }
    } catch (error) {
      if (!failedWith(error, 'EEXIST')) throw error
    }
    if (await removeIfLeft(ctx, path)) continue
    if (clock.steady() >= deadline) throw new MailError('in-use', `${path} is held by another program`)
    await new Promise((resolve) => clock.after(pauseMs, resolve))
  }
}
/** Whether a lock that nobody holds was there; it is gone then. */
async function removeIfLeft(ctx, path) {
  const { files } = ctx
  try {
    const lock = await files.open(path, { write: true })
    try {
      if (!(await isLeft(ctx, lock))) return false
      // Kept locked meanwhile: of several that find it one removes it, and nobody a new one.
      const isStill = (await files.stat(path))?.inode === (await lock.stat()).inode
      if (isStill) await files.unlink(path)
      return isStill
    } finally {
      await lock.close()
    }
  } catch (error) {
    // It was given back, or is a symbolic link to nothing; or another user's, who alone can tell.
    if (failedWith(error, 'ENOENT', 'EACCES', 'EPERM')) return false
    throw error
  }
}
async function isLeft({ clock, machine }, lock) {
  const stat = await lock.stat()
  const quietMs = clock.now() - Math.max(stat.mtimeMs, stat.ctimeMs)
  const text = Buffer.alloc(300)
  const [pid, host] = text.subarray(0, await lock.read(text, 0)).toString('latin1').split(':')
  const flock = lock.lock('flock', 'exclusive')
  if (flock === 'busy') return false
  if (!/^\d+$/.test(pid)) return quietMs > EMPTY_MS
  if (host !== machine.host) return quietMs > STALE_MS
  // Nobody keeps flock on it: of this process it is none any more, though the number is the same.
  if (Number(pid) === machine.pid) return flock === 'locked' || quietMs > STALE_MS
  return !isAlive(Number(pid)) || quietMs > LIVE_STALE_MS
}
function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return failedWith(error, 'EPERM')
  }
}
