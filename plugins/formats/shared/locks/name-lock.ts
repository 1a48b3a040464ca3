import { failedWith } from 'mailwright/api'
import type { FileStat, OpenFile } from 'mailwright/api'
import { askOwner, type Owner } from './kiss-of-death.js'
import { holderText, LONGEST_HOLDER, readHolder } from './holder.js'
import { backOff, pause, reasonOf, type Say } from './lock-context.js'
import type { FileLocks } from './locks.js'
import { Wait } from './wait-lines.js'

/**
 * `busy`: another program has the mailbox open for writing, and may have said which process it is; `brief`: it holds the lock
 * for one operation, as this server does, which says its process; `unavailable`: the lock cannot be had here.
 */
export type NameLock =
  | { readonly state: 'locked'; release(): Promise<void> }
  | { readonly state: 'busy'; readonly holder: Owner | undefined }
  | { readonly state: 'brief'; readonly pid?: number }
  | { readonly state: 'unavailable' }

/** Anything stricter lets one user lock out another. */
const LOCK_MODE = 0o666
/** Longer than any process needs from making a lock file to its mode. */
const MAKING_MS = 2000
/** As the original asks: once, and then a try every second. */
const ASKED_TRIES = 15
const ASKED_PAUSE_MS = 1000

/** `/tmp/.<device>.<inode>` in lower-case hexadecimal without padding. */
export function nameLockPath(folder: string, mailbox: Pick<FileStat, 'device' | 'inode'>): string {
  return `${folder === '/' ? '' : folder}/.${BigInt(mailbox.device).toString(16)}.${BigInt(mailbox.inode).toString(16)}`
}

/**
 * The owner lock of traditional mailboxes, tried once. The lock is the flock, not the file: a file that was left behind
 * means nothing. With `sign` the content names this process: programs of the c-client family then ask it to give up, which it
 * bears, and try again for 15 s, in which an operation ends. Otherwise, and where the process would not bear to be asked, the
 * content stays empty; they then open a traditional mailbox read-only at once.
 */
export async function tryNameLock(ctx: FileLocks, mailbox: Pick<FileStat, 'device' | 'inode'>, say: Say, sign = false): Promise<NameLock> {
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
        return { state: 'busy', holder: undefined }
      }
    }
    let file: OpenFile
    try {
      file = await files.open(path, fresh ? { write: true, create: 'new', mode: LOCK_MODE } : { write: true, noFollow: true })
    } catch (error) {
      if (failedWith(error, 'EEXIST') || (failedWith(error, 'ENOENT') && !fresh)) continue
      if (!fresh && failedWith(error, 'EACCES', 'EPERM') && (await isBeingMade(ctx, path))) return { state: 'brief' }
      if (settings.warnUnlocked) {
        ctx.logger.warn(`Mailbox lock file ${path} open failure: ${reasonOf(error)}`)
        const unsafe = failedWith(error, 'EACCES', 'EPERM')
        say('warning', unsafe ? `Can't lock for write: ${settings.lockDirectory} must have 1777 protection` : `Can't lock for write: ${reasonOf(error)}`)
      }
      return { state: 'unavailable' }
    }
    const done = await claimed(ctx, file, { path, fresh, sign }).catch(async (error: unknown) => {
      // An open file has its lock, whatever nobody could find out about it.
      await file.close()
      throw error
    })
    if (done !== 'gone') return done
  }
}

/** What the open lock file comes to; it is closed where the lock is not ours. `gone`: it has the name no more. */
async function claimed(ctx: FileLocks, file: OpenFile, { path, fresh, sign }: { readonly path: string; readonly fresh: boolean; readonly sign: boolean }): Promise<NameLock | 'gone'> {
  const outcome = file.lock('flock', 'exclusive')
  const byHandle = await file.stat()
  if (outcome === 'busy') {
    const there = await heldBy(file, byHandle)
    await file.close()
    return there
  }
  if (outcome === 'unavailable') {
    await file.close()
    if (fresh) await unlinkQuietly(ctx, path)
    return { state: 'unavailable' }
  }
  // What we made has our name as long as it has one; what was there may have been replaced.
  const byName = fresh ? byHandle : await ctx.files.lstat(path)
  if (byName?.inode === byHandle.inode && byName.device === byHandle.device && byHandle.links === 1) {
    await mark(ctx, file, byHandle.size, sign)
    return held(ctx, path, file)
  }
  // Deleted under us by a holder that finished: the lock on a name that is gone protects nothing.
  await file.close()
  return 'gone'
}
/** A process of another user has made the file under its umask, and gives it its mode next: not to be able to open it is no reason to go without. */
async function isBeingMade({ files, clock }: FileLocks, path: string): Promise<boolean> {
  const there = await files.lstat(path)
  return there === undefined || ((there.mode & LOCK_MODE) !== LOCK_MODE && Math.abs(clock.now() - there.ctimeMs) < MAKING_MS)
}
/** The lock is the flock: a disk that takes no content makes no difference, but a part of a number would be somebody else's. */
async function mark(ctx: FileLocks, file: OpenFile, size: number, sign: boolean): Promise<void> {
  try {
    // The process that somebody left here is not to be signalled for a lock that we hold.
    if (size > 0) await file.truncate(0)
    if (sign && ctx.machine.bearsAsking()) await file.write([holderText(ctx.machine, true)], 0)
  } catch {
    await file.truncate(0).catch(() => undefined)
  }
}
async function heldBy(file: OpenFile, { inode }: FileStat): Promise<NameLock> {
  const content = Buffer.alloc(LONGEST_HOLDER)
  const text = content.subarray(0, await file.read(content, 0))
  if (text.length === 0) return { state: 'brief' }
  const brief = readHolder(text)
  if (brief !== undefined) return { state: 'brief', pid: brief.pid }
  const pid = Number(/^\d{1,10}/.exec(text.toString('latin1'))?.[0] ?? 0)
  return { state: 'busy', holder: pid > 0 ? { pid, inode } : undefined }
}

/**
 * The same, waiting for holders that need it for one operation only. With `ask`, a program that has the mailbox open is asked to
 * give up its right to write.
 */
export async function takeNameLock(ctx: FileLocks, mailbox: Pick<FileStat, 'device' | 'inode'>, how: { readonly ask: boolean }, signal: AbortSignal, say: Say): Promise<NameLock> {
  const deadline = ctx.clock.steady() + ctx.settings.dotlockTimeoutMs
  const wait = new Wait(ctx, say)
  for (let tries = 0; ; tries++) {
    const lock = await tryNameLock(ctx, mailbox, say, true)
    if (lock.state === 'busy' && how.ask && lock.holder !== undefined && (await askOwner(ctx, nameLockPath(ctx.settings.lockDirectory, mailbox), lock.holder, say))) {
      return waitForOwner(ctx, mailbox, lock.holder, signal, say)
    }
    if (lock.state !== 'brief' || ctx.clock.steady() >= deadline) return lock
    wait.goesOn(() => `Trying to get mailbox lock from ${holderOf(lock)}, for up to ${Math.ceil((deadline - ctx.clock.steady()) / 1000)} seconds...`)
    await pause(ctx.clock, backOff(ctx, tries), signal)
  }
}
/** Who holds it, for a line to the user. */
export function holderOf(lock: NameLock): string {
  const pid = lock.state === 'busy' ? lock.holder?.pid : lock.state === 'brief' ? lock.pid : undefined
  return pid === undefined ? 'another program, which does not say which process it is' : `process ${pid}`
}
async function waitForOwner(ctx: FileLocks, mailbox: Pick<FileStat, 'device' | 'inode'>, { pid }: Owner, signal: AbortSignal, say: Say): Promise<NameLock> {
  let lock: NameLock = { state: 'busy', holder: undefined }
  for (let tries = 0; tries < ASKED_TRIES && (lock.state === 'busy' || lock.state === 'brief'); tries++) {
    await pause(ctx.clock, ASKED_PAUSE_MS, signal)
    lock = await tryNameLock(ctx, mailbox, say, true)
  }
  // Who gave up and opens it again later may be asked again.
  if (lock.state === 'locked') ctx.refusals.delete(nameLockPath(ctx.settings.lockDirectory, mailbox))
  ctx.logger.info(lock.state === 'locked' ? 'another program gave up a mailbox' : 'another program does not give up a mailbox', { pid })
  return lock
}

function held(ctx: FileLocks, path: string, file: OpenFile): NameLock {
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

async function unlinkQuietly({ files }: FileLocks, path: string): Promise<void> {
  try {
    await files.unlink(path)
  } catch (error) {
    // A lock file of another user in a sticky folder stays; it is only a name.
    if (!failedWith(error, 'ENOENT', 'EPERM', 'EACCES')) throw error
  }
}
