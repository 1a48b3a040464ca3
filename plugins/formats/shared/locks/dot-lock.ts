import { MailError, failedWith, type FileStat, type OpenFile } from 'mailwright/api'
import { holderText, orphanOf } from './holder.js'
import { backOff, folderOf, pause, reasonOf, type Say } from './lock-context.js'
import type { FileLocks } from './locks.js'
import { Wait } from './wait-lines.js'

/** `locked`; `vulnerable`: it cannot be made here, and only kernel locks protect; `refused`: a symbolic link or a directory stands in its place; `busy`: others had it all the time. */
export type DotLock = { readonly state: 'locked'; release(): Promise<void> } | { readonly state: 'vulnerable' | 'refused' | 'busy' }

const IN_THE_WAY: Partial<Readonly<Record<FileStat['kind'], string>>> = { symlink: 'symbolic link', directory: 'directory' }
/** Longer names get no dot-lock. */
const LONGEST_NAME = 512
/** Beyond the timeout others may pass the lock on among themselves for so long. */
const GRACE_MS = 30_000
/** A lock held for longer may have been overridden by another program, which has one of its own now. */
const CERTAINLY_OURS_MS = 30_000
/** Removing a lock takes a few system calls; a guard this old was left behind. */
const GUARD_MS = 10_000

/**
 * `<mailbox>.lock`, the one lock that every mail program of the machine honours. Its age is its ctime, its content says who
 * holds it (see holder.ts). A hitching post is linked to the name, because exclusive creation is not safe on every network
 * file system, and the link count of the post decides, because the answer of link may be lost there.
 *
 * A lock that a process of this server left behind is overridden at once. Another program's lock is waited for until it is
 * as old as the timeout, or, where clocks disagree, was seen unchanged for as long. Only the lock that was judged is ever
 * removed, and by one process at a time; then all begin anew.
 */
export async function takeDotLock(ctx: FileLocks, mailbox: string, signal: AbortSignal, say: Say): Promise<DotLock> {
  const lock = `${mailbox}.lock`
  if (Buffer.byteLength(lock) > LONGEST_NAME) return { state: 'vulnerable' }
  const { files, clock } = ctx
  const timeout = ctx.settings.dotlockTimeoutMs
  const end = clock.steady() + timeout + Math.min(GRACE_MS, timeout)
  const wait = new Wait(ctx, say)
  /** The lock that is waited for, and since when. */
  let seen = { inode: -1, ctimeMs: 0, since: 0 }
  try {
    await ctx.leftovers.sweep(ctx, folderOf(mailbox))
    for (let tries = 0; ; tries++) {
      signal.throwIfAborted()
      const post = await hitch(ctx, lock)
      if (post !== undefined) return held(ctx, lock, post)
      const there = await files.lstat(lock)
      // Neither is any program's lock, and neither ever grows too old.
      const inTheWay = there && IN_THE_WAY[there.kind]
      if (inTheWay !== undefined) {
        say('warning', `Mailbox vulnerable - ${inTheWay} on lock name: ${lock}`)
        return { state: 'refused' }
      }
      const now = clock.steady()
      if (there !== undefined) {
        if (there.inode !== seen.inode || there.ctimeMs !== seen.ctimeMs) seen = { inode: there.inode, ctimeMs: there.ctimeMs, since: now }
        if (await removeIfLeft(ctx, mailbox, lock, there, now >= seen.since + timeout, say)) continue
      }
      if (now >= end) return { state: 'busy' }
      wait.goesOn(() => `Mailbox ${mailbox} is locked, will override in ${Math.max(0, Math.ceil((Math.min(seen.since - now, seen.ctimeMs - clock.now()) + timeout) / 1000))} seconds...`)
      await pause(clock, backOff(ctx, tries), signal)
    }
  } catch (error) {
    if (signal.aborted) throw error
    return (failedWith(error, 'EACCES', 'EPERM') ? await askLockers(ctx, mailbox, signal) : undefined) ?? vulnerable(ctx, mailbox, lock, error, say)
  }
}

/** A lock that is ours, open, and the removal of its first name, for which nobody waits before the lock is given back. */
interface Hitched {
  readonly file: OpenFile
  readonly tidied: Promise<void>
}
/** One try: the post, when the lock is ours. It bears content and flock before it has the name. */
async function hitch(ctx: FileLocks, lock: string): Promise<Hitched | undefined> {
  const { files, clock, machine, settings } = ctx
  const post = `${lock}.${Math.floor(clock.now() / 1000)}.${machine.pid}.${machine.host}`
  let file: OpenFile
  try {
    file = await files.open(post, { write: true, create: 'new', mode: settings.dotlockMode })
  } catch (error) {
    // Somebody of this process tries at the same second: as good as busy.
    if (failedWith(error, 'EEXIST')) return undefined
    throw error
  }
  // One that stays is removed when the folder is first used by another process; the lock counts.
  const tidy = (): Promise<void> => files.unlink(post).catch(() => undefined)
  let own: OpenFile | undefined
  try {
    await sign(ctx, file)
    let linkless = false
    try {
      await files.link(post, lock)
    } catch (error) {
      // A disk without room for the name is nobody's lock.
      if (failedWith(error, 'ENOSPC', 'EDQUOT')) throw error
      linkless = failedWith(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP')
    }
    if (!linkless && (await file.stat()).links === 2) return { file, tidied: tidy() }
    own = linkless ? await withoutLinks(ctx, lock) : undefined
  } catch (error) {
    await tidy()
    await file.close()
    throw error
  }
  await tidy()
  await file.close()
  return own && { file: own, tidied: Promise.resolve() }
}
async function sign(ctx: FileLocks, file: OpenFile): Promise<void> {
  const flock = ctx.settings.kernelLocks.includes('flock') && file.lock('flock', 'exclusive') === 'locked'
  try {
    await file.write([holderText(ctx.machine, flock)], 0)
  } catch (error) {
    // On a full disk a lock without content is still a lock.
    if (!failedWith(error, 'ENOSPC', 'EDQUOT')) throw error
  }
}
async function withoutLinks(ctx: FileLocks, lock: string): Promise<OpenFile | undefined> {
  try {
    const file = await ctx.files.open(lock, { write: true, create: 'new', mode: ctx.settings.dotlockMode })
    await sign(ctx, file)
    return file
  } catch (error) {
    if (failedWith(error, 'EEXIST')) return undefined
    throw error
  }
}

function held({ files, clock }: FileLocks, lock: string, { file, tidied }: Hitched): DotLock {
  const takenAt = clock.steady()
  return {
    state: 'locked',
    async release() {
      try {
        if (clock.steady() - takenAt < CERTAINLY_OURS_MS || (await files.lstat(lock))?.inode === (await file.stat()).inode) await files.unlink(lock)
      } catch (error) {
        // Overridden by somebody who found it too old.
        if (!failedWith(error, 'ENOENT')) throw error
      } finally {
        await tidied
        await file.close()
      }
    },
  }
}

/** True when the lock is gone now, and the next try may find the name free. */
async function removeIfLeft(ctx: FileLocks, mailbox: string, lock: string, there: FileStat, waited: boolean, say: Say): Promise<boolean> {
  const { clock, settings } = ctx
  const orphan = await orphanOf(ctx, lock, there)
  if (orphan !== undefined) {
    const end = await remove(ctx, lock, async (now) => (await orphanOf(ctx, lock, now))?.inode === there.inode)
    if (end === 'removed') tell(ctx, say, `Mailbox ${mailbox} lock of process ${orphan.pid}, which is gone, overridden`)
    return end !== 'kept'
  }
  const old = (now: FileStat): boolean => clock.now() >= now.ctimeMs + settings.dotlockTimeoutMs
  if (!old(there) && !waited) return false
  const seconds = Math.max(0, Math.floor((clock.now() - there.ctimeMs) / 1000))
  const end = await remove(ctx, lock, async (now) => now.inode === there.inode && now.ctimeMs === there.ctimeMs)
  if (end === 'removed' && !old(there)) say('warning', `Mailbox vulnerable - seizing ${seconds} second old lock`)
  if (end === 'removed') tell(ctx, say, `Mailbox ${mailbox} lock overridden`)
  return end !== 'kept'
}
function tell(ctx: FileLocks, say: Say, text: string): void {
  say('information', text)
  ctx.logger.warn(text)
}
/**
 * Removes a lock by the right of a guard file, which one process has at a time, and after another look under the guard: whoever
 * finds the same lock left behind must not remove the one that comes after it.
 */
async function remove({ files, clock, settings }: FileLocks, lock: string, isLeft: (now: FileStat) => Promise<boolean>): Promise<'removed' | 'gone' | 'kept'> {
  const guard = `${lock}.0.0.override`
  try {
    await (await files.open(guard, { write: true, create: 'new', mode: settings.dotlockMode })).close()
  } catch (error) {
    if (!failedWith(error, 'EEXIST')) throw error
    const before = await files.lstat(guard)
    if (before !== undefined && clock.now() >= before.ctimeMs + GUARD_MS) await unlinkIfThere(files, guard)
    return 'kept'
  }
  try {
    const now = await files.lstat(lock)
    if (now === undefined) return 'gone'
    if (IN_THE_WAY[now.kind] !== undefined || !(await isLeft(now))) return 'kept'
    await unlinkIfThere(files, lock)
    return 'removed'
  } finally {
    await unlinkIfThere(files, guard)
  }
}
async function unlinkIfThere(files: FileLocks['files'], path: string): Promise<void> {
  try {
    await files.unlink(path)
  } catch (error) {
    if (!failedWith(error, 'ENOENT')) throw error
  }
}

/** Where the folder takes no file of this user, somebody else may have one made. */
async function askLockers({ lockers }: FileLocks, mailbox: string, signal: AbortSignal): Promise<DotLock | undefined> {
  try {
    for (const locker of lockers) {
      const lock = await locker.lock(mailbox, signal)
      if (lock !== undefined) return { state: 'locked', release: () => lock.release() }
    }
    return undefined
  } catch (error) {
    if (error instanceof MailError && error.kind === 'in-use') return { state: 'busy' }
    throw error
  }
}
async function vulnerable(ctx: FileLocks, mailbox: string, lock: string, error: unknown, say: Say): Promise<DotLock> {
  if (ctx.settings.warnUnlocked && !failedWith(error, 'EROFS')) {
    const folder = folderOf(mailbox)
    const open = failedWith(error, 'EACCES', 'EPERM') && (await ctx.files.stat(folder))?.mode !== 0o1777
    say('warning', open ? `Mailbox vulnerable - directory ${folder} must have 1777 protection` : `Mailbox vulnerable - error creating ${lock}: ${reasonOf(error)}`)
  }
  return { state: 'vulnerable' }
}
