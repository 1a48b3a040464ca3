import type { FileStat, OpenFile } from 'mailwright/api'
import { backOff, failedWith, pause, reasonOf, type LockContext, type Say } from './lock-context.js'

/**
 * `busy`: another program has the mailbox open for writing; `brief`: it holds the lock for one operation, as this server
 * does, and does not say its process; `unavailable`: the lock cannot be had here.
 */
export type NameLock = { readonly state: 'locked'; release(): Promise<void> } | { readonly state: 'busy' | 'brief' | 'unavailable' }

/** Anything stricter lets one user lock out another. */
const LOCK_MODE = 0o666

/** `/tmp/.<device>.<inode>` in lower-case hexadecimal without padding. */
export function nameLockPath(folder: string, mailbox: Pick<FileStat, 'device' | 'inode'>): string {
  return `${folder === '/' ? '' : folder}/.${BigInt(mailbox.device).toString(16)}.${BigInt(mailbox.inode).toString(16)}`
}

/**
 * The owner lock of traditional mailboxes, tried once. The lock is the flock, not the file: a file that was left behind
 * means nothing. The content stays empty, which tells other programs that this holder cannot be asked to give up; it
 * holds the lock for one operation only.
 */
export async function tryNameLock(ctx: LockContext, mailbox: Pick<FileStat, 'device' | 'inode'>, say: Say): Promise<NameLock> {
  const { files, settings } = ctx
  const path = nameLockPath(settings.lockDirectory, mailbox)
  // Mostly there is none yet; what is there is looked at before it is opened.
  for (let fresh = true; ; fresh = !fresh) {
    if (!fresh) {
      const there = await files.lstat(path)
      if (there === undefined) continue
      const wrong = there.kind === 'symlink' ? 'symbolic link on lock name' : there.links > 1 ? 'hard link to lock name' : undefined
      if (wrong !== undefined) {
        say('warning', `SECURITY PROBLEM: ${wrong}: ${path}`)
        return { state: 'busy' }
      }
    }
    let file: OpenFile
    try {
      file = await files.open(path, fresh ? { write: true, create: 'new', mode: LOCK_MODE } : { write: true, noFollow: true })
    } catch (error) {
      if (failedWith(error, 'EEXIST', 'ENOENT')) continue
      if (settings.warnUnlocked) {
        const unsafe = failedWith(error, 'EACCES', 'EPERM')
        say('warning', unsafe ? `Can't lock for write: ${settings.lockDirectory} must have 1777 protection` : `Can't lock for write: ${reasonOf(error)}`)
      }
      return { state: 'unavailable' }
    }
    const outcome = file.lock('flock', 'exclusive')
    const byHandle = await file.stat()
    if (outcome !== 'locked') {
      await file.close()
      if (outcome === 'busy' && byHandle.size === 0) return { state: 'brief' }
      if (outcome === 'unavailable' && fresh) await unlinkQuietly(ctx, path)
      return { state: outcome }
    }
    // What we made has our name as long as it has one; what was there may have been replaced.
    const byName = fresh ? byHandle : await files.lstat(path)
    if (byName?.inode === byHandle.inode && byName.device === byHandle.device && byHandle.links === 1) {
      // The process that somebody left here is not to be signalled for a lock that we hold.
      if (byHandle.size > 0) await file.truncate(0)
      return held(ctx, path, file)
    }
    // Deleted under us by a holder that finished: the lock on a name that is gone protects nothing.
    await file.close()
  }
}

/** The same, waiting for holders that need it for one operation only. */
export async function takeNameLock(ctx: LockContext, mailbox: Pick<FileStat, 'device' | 'inode'>, signal: AbortSignal, say: Say): Promise<NameLock> {
  const deadline = ctx.clock.now() + ctx.settings.dotlockTimeoutMs
  for (let tries = 0; ; tries++) {
    const lock = await tryNameLock(ctx, mailbox, say)
    if (lock.state !== 'brief' || ctx.clock.now() >= deadline) return lock
    await pause(ctx.clock, backOff(ctx, tries), signal)
  }
}

function held(ctx: LockContext, path: string, file: OpenFile): NameLock {
  return {
    state: 'locked',
    async release() {
      try {
        // Unlinked while locked, so that nobody can lock the same file in between and lose its name.
        await unlinkQuietly(ctx, path)
      } finally {
        file.unlock('flock')
        await file.close()
      }
    },
  }
}

async function unlinkQuietly({ files }: LockContext, path: string): Promise<void> {
  try {
    await files.unlink(path)
  } catch (error) {
    // A lock file of another user in a sticky folder stays; it is only a name.
    if (!failedWith(error, 'ENOENT', 'EPERM', 'EACCES')) throw error
  }
}
