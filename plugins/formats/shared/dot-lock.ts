import { backOff, failedWith, folderOf, pause, reasonOf, type LockContext, type Say } from './lock-context.js'

/** `locked`; `vulnerable`: it cannot be made here, and only kernel locks protect; `refused`: a symbolic link stands in its place. */
export type DotLock = { readonly state: 'locked'; release(): Promise<void> } | { readonly state: 'vulnerable' | 'refused' }

/** Longer names get no dot-lock. */
const LONGEST_NAME = 512
const WARN_EVERY_MS = 15_000

/**
 * `<mailbox>.lock`, the one lock that every mail program of the machine honours. The file is empty; its age is its
 * ctime. A hitching post is linked to the name, because exclusive creation is not safe on every network file system,
 * and the link count of the post decides, because the answer of link may be lost there.
 *
 * Another program's lock is waited for until it is as old as the timeout, and then overridden.
 */
export async function takeDotLock(ctx: LockContext, mailbox: string, signal: AbortSignal, say: Say): Promise<DotLock> {
  const lock = `${mailbox}.lock`
  if (Buffer.byteLength(lock) > LONGEST_NAME) return { state: 'vulnerable' }
  const { files, clock, settings } = ctx
  const deadline = clock.now() + settings.dotlockTimeoutMs
  let warnAt = clock.now()
  for (let tries = 0; ; tries++) {
    signal.throwIfAborted()
    try {
      if (await hitch(ctx, lock)) return held(ctx, lock)
    } catch (error) {
      return vulnerable(ctx, mailbox, lock, error, say)
    }
    const there = await files.lstat(lock)
    if (there?.kind === 'symlink') {
      say('warning', `Mailbox vulnerable - symbolic link on lock name: ${lock}`)
      return { state: 'refused' }
    }
    const now = clock.now()
    const stale = there !== undefined && now >= there.ctimeMs + settings.dotlockTimeoutMs
    if (stale || now >= deadline) return override(ctx, mailbox, lock, there?.ctimeMs, stale, say)
    if (tries > 0 && now >= warnAt) {
      warnAt = now + WARN_EVERY_MS
      say('warning', `Mailbox ${mailbox} is locked, will override in ${Math.ceil((deadline - now) / 1000)} seconds...`)
    }
    await pause(clock, backOff(ctx, tries), signal)
  }
}

/** One try: true when the lock is ours. */
async function hitch(ctx: LockContext, lock: string): Promise<boolean> {
  const { files, clock, machine, settings } = ctx
  const post = `${lock}.${Math.floor(clock.now() / 1000)}.${machine.pid}.${machine.host}`
  try {
    await (await files.open(post, { write: true, create: 'new', mode: settings.dotlockMode })).close()
  } catch (error) {
    // Somebody of this process tries at the same second: as good as busy.
    if (failedWith(error, 'EEXIST')) return false
    throw error
  }
  try {
    let linkless = false
    try {
      await files.link(post, lock)
    } catch (error) {
      linkless = failedWith(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP')
    }
    if (!linkless) return (await files.stat(post))?.links === 2
    try {
      await (await files.open(lock, { write: true, create: 'new', mode: settings.dotlockMode })).close()
      return true
    } catch (error) {
      if (failedWith(error, 'EEXIST')) return false
      throw error
    }
  } finally {
    await files.unlink(post)
  }
}

function held({ files }: LockContext, lock: string): DotLock {
  return {
    state: 'locked',
    async release() {
      try {
        await files.unlink(lock)
      } catch (error) {
        // Overridden by somebody who found it too old.
        if (!failedWith(error, 'ENOENT')) throw error
      }
    },
  }
}

async function override(ctx: LockContext, mailbox: string, lock: string, bornMs: number | undefined, stale: boolean, say: Say): Promise<DotLock> {
  const { files, clock, settings } = ctx
  if (!stale && bornMs !== undefined) {
    const seconds = Math.max(0, Math.floor((clock.now() - bornMs) / 1000))
    say('warning', `Mailbox vulnerable - seizing ${seconds} second old lock`)
  }
  try {
    await files.unlink(lock)
  } catch (error) {
    if (!failedWith(error, 'ENOENT')) return vulnerable(ctx, mailbox, lock, error, say)
  }
  try {
    await (await files.open(lock, { write: true, create: 'if-missing', mode: settings.dotlockMode, noFollow: true })).close()
  } catch (error) {
    return vulnerable(ctx, mailbox, lock, error, say)
  }
  say('information', `Mailbox ${mailbox} lock overridden`)
  return held(ctx, lock)
}

async function vulnerable(ctx: LockContext, mailbox: string, lock: string, error: unknown, say: Say): Promise<DotLock> {
  if (ctx.settings.warnUnlocked && !failedWith(error, 'EROFS')) {
    const folder = folderOf(mailbox)
    const open = failedWith(error, 'EACCES', 'EPERM') && (await ctx.files.stat(folder))?.mode !== 0o1777
    say('warning', open ? `Mailbox vulnerable - directory ${folder} must have 1777 protection` : `Mailbox vulnerable - error creating ${lock}: ${reasonOf(error)}`)
  }
  return { state: 'vulnerable' }
}
