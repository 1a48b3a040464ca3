import { failedWith, MailError } from 'mailwright/api'

/** Without a change for so long a lock of another machine is taken to be left behind; Dovecot waits as long. */
const STALE_MS = 120_000
/** A lock that says nothing was on its way when the machine stopped. */
const EMPTY_MS = 2_000
const TIMEOUT_MS = 150_000

/**
 * Runs with `dovecot-uidlist.lock` held, which Dovecot makes too: `PID:HOST`, gone when it is given back. Processes of this kind keep flock on it as
 * well, so that one that was killed is told from one that works.
 */
export async function withListLock(ctx, folder, signal, work) {
  const { files } = ctx
  const path = `${folder}/dovecot-uidlist.lock`
  const lock = await take(ctx, path, signal)
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
async function take(ctx, path, signal) {
  const { files, clock, machine } = ctx
  const deadline = clock.now() + TIMEOUT_MS
  for (let pauseMs = 2; ; pauseMs = Math.min(100, pauseMs * 2)) {
    signal.throwIfAborted()
    try {
      const lock = await files.open(path, { write: true, create: 'new' })
      try {
        await lock.write([Buffer.from(`${machine.pid}:${machine.host}`)], 0)
        // Somebody may be looking whether it was left behind; that takes no time.
        while (lock.lock('flock', 'exclusive') === 'busy') await new Promise((resolve) => clock.after(1, resolve))
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
    if (clock.now() >= deadline) throw new MailError('in-use', `${path} is held by another program`)
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
      if ((await files.stat(path))?.inode === (await lock.stat()).inode) await files.unlink(path)
      return true
    } finally {
      await lock.close()
    }
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return true
    throw error
  }
}
async function isLeft({ clock, machine }, lock) {
  const stat = await lock.stat()
  const quietMs = clock.now() - Math.max(stat.mtimeMs, stat.ctimeMs)
  const text = Buffer.alloc(300)
  const [pid, host] = text.subarray(0, await lock.read(text, 0)).toString('latin1').split(':')
  if (lock.lock('flock', 'exclusive') === 'busy') return false
  if (quietMs > STALE_MS) return true
  if (!/^\d+$/.test(pid)) return quietMs > EMPTY_MS
  if (host !== machine.host) return false
  // Nobody keeps flock on it: of this process it is none any more, though the number is the same.
  return Number(pid) === machine.pid || !isAlive(Number(pid))
}
function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return failedWith(error, 'EPERM')
  }
}
