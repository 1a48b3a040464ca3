import { MailError, failedWith, type FileLane, type FilePlace, type FileStat, type LockOutcome, type OpenFile } from 'mailwright/api'
import { takeDotLock } from '../locks/dot-lock.js'
import { backOff, pause, reasonOf, type Say } from '../locks/lock-context.js'
import { holderOf, tryNameLock } from '../locks/name-lock.js'
import { AheadLog, isAsLeft, type Pending } from '../changes/ahead-log.js'
import type { OctetChanges } from '../changes/ahead-format.js'
import { SafeChanges } from '../changes/safe-changes.js'
import { Wait } from '../locks/wait-lines.js'
import type { FixedContext, Holding } from './context.js'
import { keepSeen } from './times.js'

/*
 * Locks of mailboxes with fixed headers, which programs share: whoever has one open holds its kernel lock shared for as long, so that
 * nobody moves messages in it; whoever looks for new messages or writes holds the name lock for the time of it. The kernel lock
 * may be made exclusive only under the name lock, since the change gives it up for a moment.
 */

/** A mailbox file under the name lock, for the time of one operation. */
export interface Held {
  readonly file: OpenFile
  stat: FileStat
  mark: number
  /** All programs of the family are kept from writing, not this server's processes alone. */
  readonly named: boolean
  /** Changes that are in the mailbox, and on the disk in their log alone. */
  ahead: Pending | undefined
  /** As in `ChangedFile`: where somebody comes back to it later. */
  owesRoom?: boolean
}

interface Handle {
  readonly file: OpenFile
  readonly device: number
  readonly inode: number
  /** Tells it from others before. */
  readonly id: number
  lock: LockOutcome
  users: number
  closing: boolean
  /** Settles when it is closed; it never rejects. */
  closed: Promise<void> | undefined
  /** As it was found when it was opened, for the operation that opened it. */
  opened: FileStat | undefined
}
type FileIdentity = Pick<FileStat, 'device' | 'inode'>
/** A mailbox file that somebody else in this process holds open; a value. */
export interface Lent extends FileIdentity {
  readonly shared: number
}
/** What work came to, and whether nobody can have changed flags meanwhile. */
export interface Undisturbed<T> {
  readonly result: T
  readonly undisturbed: boolean
}
/** What an open mailbox file needs of the context. */
export type FileContext = Pick<FixedContext, 'files' | 'clock' | 'locks' | 'turns' | 'mailbox' | 'holders' | 'lane'>
/** More than a tick of the clock of files. */
const SURELY_MS = 2000
const nobody = (): Promise<void> => Promise.resolve()

/** One mailbox file as its source, or a delivery, has it open. */
export class FixedFile {
  readonly path: string
  readonly place: FilePlace
  readonly changes: SafeChanges
  readonly writable: boolean
  readonly lane: FileLane | undefined
  /** Mark of the last change of which nothing is left in a redo file on the disk. */
  settledMark = 0
  readonly aheadFrom: number
  /** Mark of a log of octets that is crossed out. */
  aheadMark = 0
  readonly #ahead: AheadLog | undefined
  readonly #ctx: FileContext
  readonly #lent: Lent | undefined
  #handle: Handle | undefined
  #last = 0
  /** A call to the system failed: a sync that was waited for may have taken pages for written that are not. */
  #isInDoubt = false

  /** `aheadFrom`: changes of so many pages go ahead of the mailbox, and large ones keep their room; by default none do, since somebody must finish that (`finishLater`). */
  constructor(place: FilePlace, writable: boolean, ctx: FileContext, lent?: Lent, aheadFrom = Number.POSITIVE_INFINITY) {
    this.aheadFrom = aheadFrom
    this.#lent = lent
    this.path = place.path
    this.place = place
    this.writable = writable
    this.#ctx = ctx
    this.lane = ctx.lane
    const changing = { ...ctx, random: ctx.locks.random }
    this.changes = new SafeChanges(place, changing)
    this.#ahead = AheadLog.of(place, changing)
  }

  /** To be called before octets are written another way than by `changes`. */
  async settle(held: Held): Promise<void> {
    if (held.mark !== 0 && held.mark === this.settledMark) return
    await this.changes.settle(held)
    this.settledMark = held.mark
  }

  /**
   * Makes changes durable before they are in the mailbox, which the caller makes next. False: that cannot be, and the mailbox is to be synced. Whoever
   * asks for it sees to it that `finishAhead` follows, and holds the file until then.
   */
  async writeAhead(held: Held, changes: OctetChanges): Promise<boolean> {
    if (this.#ahead === undefined || !held.named || this.holding === 0) return false
    const written = await this.#ahead.write(held.stat, held.ahead, changes)
    if (written === undefined) return false
    held.ahead = written
    return true
  }
  /** They were not made; `before` is what was there before them. */
  async unsayAhead(held: Held, before: Pending | undefined): Promise<void> {
    await this.#ahead?.unsay(held.stat, before)
    held.ahead = before
  }
  /** The mailbox is as `stat` says with all changes of the log; `settled`: its times are of our making. */
  async noteAhead(held: Held, stat: FileStat, settled: boolean): Promise<void> {
    if (this.#ahead === undefined || held.ahead?.unfinished !== true) return
    // Without the note the next look lays once more what is there.
    held.ahead = await this.#ahead.note(stat, held.ahead, settled ? stat.mtimeMs : Number.NaN).catch(() => held.ahead)
  }
  /** The mailbox is on the disk, as it is; to be called before its octets are written another way. */
  async finishAhead(held: Held): Promise<void> {
    if (this.#ahead === undefined || held.ahead === undefined) return
    this.aheadMark = await this.#ahead.finish(held.file, held.stat, held.ahead, this.#isInDoubt)
    this.#isInDoubt = false
    held.ahead = undefined
  }
  /** Whether something is left to be done by `finishLater`. */
  owes({ ahead, owesRoom }: Held): boolean {
    return ahead !== undefined || owesRoom === true
  }
  /** What operations left for when nobody waits. */
  async finishLater(held: Held): Promise<void> {
    await this.finishAhead(held)
    await this.changes.giveBackRoom(held.stat)
  }
  /** The mailbox was removed; what is kept for its next changes goes with it. */
  async forgetChanges({ stat }: Held): Promise<void> {
    await this.#ahead?.forget(stat)
    await this.changes.forget(stat)
  }
  /** Syncs most of what a log is ahead of, so that `finishAhead` has little to do; what fails is left to that. */
  async syncBehind(): Promise<void> {
    await this.using((file) => file.sync()).catch(() => {
      this.#isInDoubt = true
    })
  }

  /** Names the time in which messages stayed where they are; 0: somebody may move them. */
  get holding(): number {
    return this.#handle?.lock === 'locked' ? this.#handle.id : 0
  }

  /**
   * Runs with everybody else kept from writing; turns of this process come before the locks. Undefined when there is no file. `found`: which file had
   * the name just now. Where none is open yet, opening tells whether it is still that one, and it is not looked at once more.
   */
  async locked<T>(signal: AbortSignal, say: Say, work: (held: Held) => Promise<T>, found?: FileStat): Promise<T | undefined> {
    return this.#ctx.turns.run(this.path, async () => {
      const deadline = this.#deadline
      const known = this.#handle === undefined && found?.kind === 'file' ? await this.#once(found, deadline, signal, say, work) : undefined
      if (known !== undefined) return known.value
      for (let tries = 0; ; tries++) {
        const stat = await this.#ctx.files.stat(this.path)
        // A folder or a pipe in its place is no mailbox either.
        if (stat?.kind !== 'file') {
          this.release()
          return undefined
        }
        const done = await this.#once(stat, deadline, signal, say, work)
        if (done !== undefined) return done.value
        if (this.#ctx.clock.steady() >= deadline) throw new MailError('in-use', `Unable to lock open mailbox ${this.path}`)
        await pause(this.#ctx.clock, backOff(this.#ctx.locks, tries), signal)
      }
    })
  }
  /** The same for the file that is known to have the name, in fewer calls and opened once. Undefined when it has the name no more, or somebody is about to move it. */
  async lockedKnown<T>(known: FileIdentity, signal: AbortSignal, say: Say, work: (held: Held) => Promise<T>): Promise<T | undefined> {
    const done = await this.#once(known, this.#deadline, signal, say, work)
    return done?.value
  }
  /**
   * Holds the file with its kernel lock alone, so that nobody moves messages in it from now on; whoever is about to move or delete it has that lock. Returns the state
   * in which it is then. Undefined: it is to be looked at under all locks, since it cannot be held so, is not the one that had the name, or has a change to be finished.
   */
  hold(known: FileIdentity): Promise<FileStat | undefined> {
    return this.#ctx.turns.run(this.path, async () => {
      const handle = await this.#open(known)
      if (handle?.lock !== 'locked') return undefined
      handle.users++
      try {
        const { interrupted, ahead } = await this.#unfinished(handle)
        // The state comes last: what others begin meanwhile shows in it, or is found by the next look.
        return interrupted || ahead !== undefined ? undefined : await handle.file.stat()
      } finally {
        // What it was when it was opened is for who has had all locks since.
        handle.opened = undefined
        this.#left(handle)
      }
    })
  }
  get #deadline(): number {
    return this.#ctx.clock.steady() + this.#ctx.locks.settings.dotlockTimeoutMs
  }
  async #once<T>(known: FileIdentity, deadline: number, signal: AbortSignal, say: Say, work: (held: Held) => Promise<T>): Promise<{ readonly value: T } | undefined> {
    const { named, unguard } = await this.#guard(known, deadline, signal, say)
    try {
      const handle = await this.#open(known)
      return handle === undefined ? undefined : { value: await this.#work(handle, named, say, work) }
    } finally {
      await unguard()
    }
  }
  async #work<T>(handle: Handle, named: boolean, say: Say, work: (held: Held) => Promise<T>): Promise<T> {
    handle.users++
    try {
      // Nobody has written since a file that was opened under these locks was looked at; after them somebody may have, whatever becomes of this operation.
      const { opened } = handle
      handle.opened = undefined
      const { interrupted, mark, ahead } = await this.#unfinished(handle)
      const stat = opened ?? (await handle.file.stat())
      const found = interrupted && this.writable ? await this.changes.recover(handle.file, stat, say) : { stat, mark }
      const held: Held = { file: handle.file, named, ...found, ahead, ...(Number.isFinite(this.aheadFrom) && { owesRoom: false }) }
      if (this.writable) await this.#goOnAhead(held)
      return await work(held)
    } catch (error) {
      this.#isInDoubt ||= isOfSystem(error)
      throw error
    } finally {
      this.#left(handle)
    }
  }
  /** What was begun by changes before, of whatever process. */
  async #unfinished(handle: Handle): Promise<{ readonly interrupted: boolean; readonly mark: number; readonly ahead: Pending | undefined }> {
    const [redo, ahead] = await Promise.all([this.changes.look(handle, this.settledMark), this.#ahead?.look(handle, this.aheadMark)])
    // One that stays as it is need not be read again; a change in this very moment leaves another time.
    if (ahead !== undefined && ahead.pending === undefined && this.#ctx.clock.now() - ahead.mark > SURELY_MS) this.aheadMark = ahead.mark
    return { ...redo, ahead: ahead?.pending }
  }
  /** What was stopped half-way is made whole. Where others changed flags since, no record may follow: it would not find the octets that it names. */
  async #goOnAhead(held: Held): Promise<void> {
    if (this.#ahead === undefined || held.ahead === undefined) return
    if (held.ahead.unfinished) {
      const before = held.stat
      this.aheadMark = await this.#ahead.recover(held.file, before, held.ahead)
      held.ahead = undefined
      await keepSeen(held.file, before, await held.file.stat())
      held.stat = await held.file.stat()
    } else if (!isAsLeft(held.ahead, held.stat)) await this.finishAhead(held)
  }
  /** The name lock; where it cannot be had, a lock file beside the mailbox keeps this server's processes apart. */
  async #guard(stat: FileIdentity, deadline: number, signal: AbortSignal, say: Say): Promise<{ readonly named: boolean; unguard(): Promise<void> }> {
    const { locks, clock } = this.#ctx
    const wait = new Wait(locks, say)
    for (let tries = 0; ; tries++) {
      const lock = await tryNameLock(locks, stat, say)
      if (lock.state === 'locked') return { named: true, unguard: () => lock.release() }
      if (lock.state === 'unavailable') {
        const dot = locks.settings.dotlock && this.writable ? await takeDotLock(locks, this.path, signal, say) : undefined
        return { named: false, unguard: dot?.state === 'locked' ? () => dot.release() : nobody }
      }
      if (clock.steady() >= deadline) throw new MailError('in-use', `${this.path} is locked by another program for ${locks.settings.dotlockTimeoutMs / 1000} s`)
      wait.goesOn(() => `Trying to get mailbox lock from ${holderOf(lock)}, for up to ${Math.ceil((deadline - clock.steady()) / 1000)} seconds...`)
      await pause(clock, backOff(locks, tries), signal)
    }
  }
  /** The open file with its kernel lock; undefined when another one has the name now, or somebody is about to move or delete it. */
  async #open(stat: FileIdentity): Promise<Handle | undefined> {
    const { files, locks } = this.#ctx
    const there = this.#handle
    if (there !== undefined && isSame(there, stat) && there.lock !== 'busy') return there
    this.release()
    const lent = this.#lent
    if (lent !== undefined && files.borrow !== undefined) {
      const now = await files.stat(this.path)
      if (now === undefined || !isSame(now, stat) || !isSame(lent, stat)) return undefined
      return this.#hold(files.borrow(this.path, lent.shared), 'locked', now)
    }
    let file: OpenFile
    try {
      file = await files.open(this.path, { write: this.writable, keepAccessTime: true })
    } catch (error) {
      if (failedWith(error, 'ENOENT')) return undefined
      if (failedWith(error, 'EACCES', 'EPERM')) throw new MailError('denied', `${this.path}: ${reasonOf(error)}`, { cause: error })
      if (failedWith(error, 'EROFS')) throw new MailError('read-only', `${this.path}: ${reasonOf(error)}`, { cause: error })
      throw error
    }
    const opened = await file.stat().catch(async (error: unknown) => {
      await file.close()
      throw error
    })
    const lock = locks.settings.kernelLocks.includes('flock') ? file.lock('flock', 'shared') : 'unavailable'
    if (lock === 'busy' || !isSame(opened, stat)) {
      await file.close()
      return undefined
    }
    return this.#hold(file, lock, opened)
  }
  #hold(file: OpenFile, lock: LockOutcome, opened: FileStat): Handle {
    const { device, inode } = opened
    const handle: Handle = { file, device, inode, id: ++this.#last, lock, users: 0, closing: false, closed: undefined, opened }
    this.#handle = handle
    holdersOf(this.#ctx, handle).add(this)
    return handle
  }

  /** Nobody else has the mailbox open, as far as programs say so. */
  get isAlone(): boolean {
    return this.#isAlone
  }
  #isAlone = false
  /** Runs when nobody else has the mailbox open; undefined when somebody has. Only within `locked`. */
  async alone<T>(work: () => Promise<T>): Promise<{ readonly result: T } | undefined> {
    const handle = this.#handle
    if (handle === undefined) return undefined
    if (handle.lock === 'unavailable') return { result: await work() }
    const mine = (this.#isAlone = handle.file.lock('flock', 'exclusive') === 'locked')
    try {
      return mine ? { result: await work() } : undefined
    } finally {
      this.#isAlone = false
      // Others that want it exclusive wait for the name lock, which is ours.
      handle.lock = handle.file.lock('flock', 'shared')
    }
  }

  /**
   * Runs work that writes, within `locked`, and says whether nobody else can have changed flags since `held.stat` was taken. Where other programs do that
   * without the name lock (`unlocked`), they do it as long as they have the mailbox open: nobody may have it open then.
   */
  async undisturbed<T>(held: Held, unlocked: boolean, work: () => Promise<T>): Promise<Undisturbed<T>> {
    if (!unlocked) return { result: await work(), undisturbed: true }
    const telling = this.holding > 0
    const { mtimeMs } = held.stat
    const alone = await this.alone(async () => ({ same: (await held.file.stat()).mtimeMs === mtimeMs, result: await work() }))
    if (alone === undefined) return { result: await work(), undisturbed: false }
    const { same, result } = alone.result
    return { result, undisturbed: telling && same }
  }
  /** For who works on it in the meantime; it stays open until that is done. Undefined: it cannot be lent. */
  async lend<T>(work: (lent: Lent | undefined) => Promise<{ readonly result: T; readonly holding: boolean }>): Promise<T> {
    const handle = this.#handle
    const shared = handle?.lock === 'locked' ? handle.file.shared : undefined
    if (handle === undefined || shared === undefined) return (await work(undefined)).result
    handle.users++
    try {
      const { result, holding } = await work({ shared, device: handle.device, inode: handle.inode })
      if (!holding) handle.lock = 'busy'
      return result
    } catch (error) {
      // Whatever became of it there.
      this.#isInDoubt ||= isOfSystem(error)
      handle.lock = handle.file.lock('flock', 'shared')
      throw error
    } finally {
      this.#left(handle)
    }
  }

  /** Runs with the open file, without locks of its own; undefined when it is not open. */
  async using<T>(work: (file: OpenFile) => Promise<T>): Promise<T | undefined> {
    const handle = this.#handle
    if (handle === undefined) return undefined
    handle.users++
    try {
      return await work(handle.file)
    } finally {
      this.#left(handle)
    }
  }
  #left(handle: Handle): void {
    handle.users--
    this.#closeUnused(handle)
  }
  #closeUnused(handle: Handle): void {
    if (handle.closing && handle.users === 0) handle.closed ??= this.#closed(handle.file)
  }
  /** What a file of the network says when it is closed is no failure of an operation: what was to be on the disk was synced. */
  async #closed(file: OpenFile): Promise<void> {
    try {
      await file.close()
    } catch (error) {
      this.#ctx.locks.logger.warn(`Mailbox ${this.path} close failure: ${reasonOf(error)}`)
    }
  }

  /** Gives up the kernel lock and the file, which is closed when nobody reads it any more. */
  release(): void {
    const handle = this.#handle
    if (handle === undefined) return
    this.#handle = undefined
    const holders = holdersOf(this.#ctx, handle)
    holders.delete(this)
    if (holders.size === 0) this.#ctx.holders.delete(keyOf(handle))
    handle.file.unlock('flock')
    handle.closing = true
    this.#closeUnused(handle)
  }
  /** The same, when nothing is under way any more. */
  async close(): Promise<void> {
    await this.#ctx.turns.run(this.path, nobody)
    const handle = this.#handle
    this.release()
    await handle?.closed
  }
}

/** Not a refusal of our own. */
function isOfSystem(error: unknown): boolean {
  return !(error instanceof MailError) || error.cause !== undefined
}
function isSame(a: FileIdentity, b: FileIdentity): boolean {
  return a.device === b.device && a.inode === b.inode
}
function keyOf({ device, inode }: FileIdentity): string {
  return `${device}-${inode}`
}
/** Those of this process that hold the file open. */
export function holdersOf(ctx: Pick<FixedContext, 'holders'>, file: FileIdentity): Set<Holding> {
  const key = keyOf(file)
  let holders = ctx.holders.get(key)
  if (holders === undefined) ctx.holders.set(key, (holders = new Set()))
  return holders
}
