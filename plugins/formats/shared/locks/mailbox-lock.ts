import { MailError, type FileStat, type OpenFile } from 'mailwright/api'
import { takeDotLock, type DotLock } from './dot-lock.js'
import { releaseKernelLocks, takeKernelLocks } from './kernel-locks.js'
import { allOf } from '../changes/redo-apply.js'
import { backOff, pause, type Say } from './lock-context.js'
import type { FileLocks } from './locks.js'
import { isLockedFor, Wait } from './wait-lines.js'

/** A mailbox file with its locks; `close` gives all back in reverse order. */
export interface LockedFile {
  readonly file: OpenFile
  /** As found after the last lock was taken: size and inode may have changed while waiting. */
  readonly stat: FileStat
  close(): Promise<void>
}

/**
 * Opens a mailbox file under its dot-lock and kernel locks, in this order. Programs disagree about the order, so the
 * kernel locks are tried without waiting; when they are busy everything is given back and tried again after a while.
 *
 * @throws MailError `in-use` when the locks do not come within the dot-lock's timeout; system errors of opening.
 */
export async function openLocked(ctx: FileLocks, path: string, mode: 'shared' | 'exclusive', signal: AbortSignal, say: Say): Promise<LockedFile> {
  const { files, clock, settings } = ctx
  const deadline = clock.steady() + settings.dotlockTimeoutMs
  const wait = new Wait(ctx, say)
  const inUse = (): MailError => new MailError('in-use', `${path} is locked by another program for ${settings.dotlockTimeoutMs / 1000} s`)
  for (let tries = 0; ; tries++) {
    const dot: DotLock = settings.dotlock ? await takeDotLock(ctx, path, signal, say) : { state: 'vulnerable' }
    if (dot.state === 'busy') throw inUse()
    const takenAt = clock.steady()
    const releaseDot = async (): Promise<void> => {
      if (dot.state !== 'locked') return
      await dot.release()
      ctx.courtesy.freed(path, clock.steady() - takenAt)
    }
    let file: OpenFile | undefined
    try {
      file = await files.open(path, { write: mode === 'exclusive', keepAccessTime: true })
      if (takeKernelLocks(file, settings.kernelLocks, mode)) {
        const [stat, byName] = await Promise.all([file.stat(), files.stat(path)])
        if (byName?.inode === stat.inode && byName.device === stat.device) return locked(ctx, file, stat, releaseDot)
        releaseKernelLocks(file, settings.kernelLocks)
      }
      await file.close()
    } catch (error) {
      await file?.close()
      await releaseDot()
      throw error
    }
    await releaseDot()
    if (clock.steady() >= deadline) throw inUse()
    wait.goesOn(() => isLockedFor(path, deadline - clock.steady()))
    await pause(clock, backOff(ctx, tries), signal)
  }
}

function locked(ctx: FileLocks, file: OpenFile, stat: FileStat, releaseDot: () => Promise<void>): LockedFile {
  return {
    file,
    stat,
    async close() {
      releaseKernelLocks(file, ctx.settings.kernelLocks)
      await allOf([file.close(), releaseDot()])
    },
  }
}
