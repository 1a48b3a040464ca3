import type { Clock, FoundMailbox, Logger, MailLocation, MailboxSettings, MailboxSource } from '../../api/index.js'
import { asMailFailure, orCancelled } from '../failures.js'
import type { ClaimedState } from '../journal/discarding.js'
import { MailTable } from '../table/table.js'
import type { MailboxState } from './mailbox-state.js'
import { SharedMailbox } from './shared-mailbox.js'

/** What was kept of a mailbox. */
export interface KeptState {
  /** The journal is this process's: it alone gives mod-sequences that clients are told. */
  readonly journalled: boolean
  /** Fills the table with the rows of last time. */
  fill(table: MailTable): MailboxState
  /** Instead of `fill`. */
  close(): Promise<void>
}
/** Where the states of mailboxes lie on the disk. */
export interface StateKeeper {
  /** Reads what is kept of a mailbox, and keeps other processes from it. Undefined: nothing is kept of it, or it cannot be read. Does not fail. */
  read(key: string): Promise<KeptState | undefined>
  /** Keeps other processes from what is kept of a mailbox that is about to be deleted and that nobody of this one has open. Undefined: nothing, or in use. Does not fail. */
  claim(key: string): Promise<ClaimedState | undefined>
  /** Keeps other processes of the server from work that goes by this name, until it is disposed of; undefined: one of them is at it. */
  alone(name: string): Promise<AsyncDisposable | undefined>
}

/** How long a mailbox stays open after the last session left, and how many such are kept. */
const LINGER_MS = 30_000
const MAX_LINGERING = 64

interface Held {
  readonly place: string | undefined
  readonly format: string | undefined
  readonly opening: Promise<SharedMailbox>
  shared: SharedMailbox | undefined
  uses: number
  /** When it was opened. */
  readonly since: number
  timer: Disposable | undefined
}

/** An empty file is a mailbox of the format that it had, whatever a new one would get. */
function isOfAnotherFormat(held: Held, found: FoundMailbox): boolean {
  return !found.empty && held.format !== undefined && found.format !== undefined && held.format !== found.format
}

/**
 * The mailboxes that this process has open, by the key of the physical mailbox: two hosts, or two generations of a host across a
 * reload, that reach the same mailbox share one source. Closing is delayed, since the next command often wants the same mailbox again.
 */
export class SourceRegistry implements AsyncDisposable {
  readonly #held = new Map<string, Held>()
  /** Those of them that nobody has any more, the one that was left longest ago first. */
  readonly #lingering = new Map<string, Held>()
  readonly #closing = new Map<string, Promise<void>>()
  /** Mailboxes that are deleted just now; whether they are open or not. */
  readonly #removing = new Map<string, Promise<void>>()
  readonly #clock: Clock
  readonly #logger: Logger
  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }
  /** To be given back with `release`. The rows are not yet true: refresh first. */
  async acquire(found: FoundMailbox, settings: MailboxSettings, states: StateKeeper | undefined, signal: AbortSignal): Promise<SharedMailbox> {
    for (;;) {
      // What is closing writes its last things; a second source must not see them half done.
      const closing = this.#busy(found.key)
      if (closing === undefined) break
      await orCancelled(closing, signal)
    }
    let held = this.#held.get(found.key)
    if (held !== undefined && isOfAnotherFormat(held, found)) {
      // Its source would read what is there as what was there.
      await this.evict(found.key, 'the mailbox was replaced by one of another format', false)
      return this.acquire(found, settings, states, signal)
    }
    if (held?.place !== undefined && held.place !== found.place) {
      // Its source may look where the mailbox is no more.
      if ((await found.isAlsoAt?.(held.place)) !== true) {
        await this.evict(found.key, 'the mailbox was moved', false)
        return this.acquire(found, settings, states, signal)
      }
      if (this.#busy(found.key) !== undefined) return this.acquire(found, settings, states, signal)
      held = this.#held.get(found.key)
    }
    if (held?.uses === 0 && held.shared?.table.toldModseq === 0 && held.shared.state === undefined && this.#clock.steady() - held.since >= LINGER_MS) {
      // What is kept of it could not be read when it was opened. Who asks for figures again and again does not open it each time.
      await orCancelled(this.#close(found.key, held, true), signal)
      return this.acquire(found, settings, states, signal)
    }
    if (held === undefined) {
      // Of no session: others may wait for it too.
      const opening = this.#open(found, settings, states, new AbortController().signal)
      held = { place: found.place, format: found.format, opening, shared: undefined, uses: 0, since: this.#clock.steady(), timer: undefined }
      this.#held.set(found.key, held)
      const mine = held
      opening.then(
        (shared) => (mine.shared = shared),
        () => this.#held.get(found.key) === mine && this.#held.delete(found.key),
      )
    }
    this.#use(found.key, held)
    try {
      return await orCancelled(held.opening, signal)
    } catch (error) {
      const mine = held
      // Given back when it is open, should the session not have waited for that.
      held.opening.then((shared) => this.release(shared), () => mine.uses--)
      throw asMailFailure(error)
    }
  }
  #use(key: string, held: Held): void {
    held.uses++
    held.timer?.[Symbol.dispose]()
    held.timer = undefined
    if (this.#lingering.get(key) === held) this.#lingering.delete(key)
  }
  async #open(found: FoundMailbox, settings: MailboxSettings, states: StateKeeper | undefined, signal: AbortSignal): Promise<SharedMailbox> {
    // Beside each other: which of the rows are still true is for the first look.
    const reading = states?.read(found.key)
    let source: MailboxSource
    try {
      source = await found.open(signal)
    } catch (error) {
      await (await reading)?.close()
      throw error
    }
    const read = await reading
    // Numbers that do not last mean other messages in another process, even under the same UIDVALIDITY, which is a second.
    const kept = source.traits.uidsPersist ? read : undefined
    try {
      if (kept === undefined) await read?.close()
      const ownModseqs = source.traits.modseqs === 'own'
      // Numbers that clients were told before are unknown here; a microsecond count exceeds them all (one edit takes longer than one).
      const now = (): number => Math.max(1, Math.floor(this.#clock.now() * 1000))
      const nothingKept = states === undefined || !source.traits.uidsPersist
      const table = new MailTable({ ownModseqs, firstModseq: ownModseqs ? 1 : now(), told: ownModseqs || nothingKept || kept?.journalled === true, ...(nothingKept && { now }) })
      const state = kept?.fill(table)
      return new SharedMailbox({ key: found.key, source, table, state, settings, clock: this.#clock, logger: this.#logger })
    } catch (error) {
      await kept?.close()
      await source.close()
      throw error
    }
  }
  /** The open mailbox, kept for the caller until `release`; undefined when it is not open. */
  async borrow(key: string): Promise<SharedMailbox | undefined> {
    const held = this.#held.get(key)
    if (held === undefined) return undefined
    this.#use(key, held)
    try {
      return await held.opening
    } catch {
      held.uses--
      return undefined
    }
  }
  release(shared: SharedMailbox): void {
    const held = this.#held.get(shared.key)
    if (held === undefined || held.shared !== shared) return
    held.uses--
    if (held.uses > 0) return
    held.timer = this.#clock.after(LINGER_MS, () => void this.#close(shared.key, held, true))
    this.#lingering.set(shared.key, held)
    for (const [key, oldest] of this.#lingering) {
      if (this.#lingering.size <= MAX_LINGERING) break
      void this.#close(key, oldest, true)
    }
  }
  /** Keys of the open mailboxes below a place. */
  keysUnder(at: MailLocation, delimiter: string): readonly string[] {
    const under = at.path + delimiter
    const isBelow = (place: MailLocation): boolean => place.mount.store === at.mount.store && place.mount.root === at.mount.root && place.path.startsWith(under)
    return [...this.#held].filter(([, held]) => held.shared?.places.some(isBelow)).map(([key]) => key)
  }
  /**
   * Deletes a mailbox: its sessions end, and what is kept of it goes. Nobody opens what has its key before that is done: the key is free for another
   * mailbox as soon as `remove` has deleted this one. When `remove` fails everything is as it was.
   */
  async remove(key: string, states: StateKeeper | undefined, remove: () => Promise<void>): Promise<void> {
    for (let busy = this.#busy(key); busy !== undefined; busy = this.#busy(key)) await busy
    const removing = this.#removeNow(key, states, remove)
    const settled = removing.catch(() => undefined)
    this.#removing.set(key, settled)
    try {
      await removing
    } finally {
      this.#removing.delete(key)
    }
  }
  #busy(key: string): Promise<void> | undefined {
    return this.#removing.get(key) ?? this.#closing.get(key)
  }
  async #removeNow(key: string, states: StateKeeper | undefined, remove: () => Promise<void>): Promise<void> {
    const shared = await this.borrow(key)
    const claimed = shared === undefined ? await states?.claim(key) : undefined
    try {
      await remove()
    } catch (error) {
      if (shared !== undefined) this.release(shared)
      await claimed?.release()
      throw error
    }
    try {
      await claimed?.discard()
      if (shared === undefined) return
      if (this.#held.get(key)?.shared !== shared) {
        // Somebody who was about to give it another name, or found it elsewhere, has closed it meanwhile.
        await this.#closing.get(key)
        await (await states?.claim(key))?.discard()
        return
      }
      this.#held.delete(key)
      shared.end('the mailbox was deleted')
      await shared.discard()
    } catch (error) {
      // The mailbox is gone all the same.
      this.#logger.warn('mail.state-not-removed', { key, error })
    }
  }
  /**
   * The mailbox is about to change its name: its sessions end, and when asked what is journalled is folded in, and messages that are on their way out of it are let
   * go: a MOVE that found it closed would have copied them and could not remove them. Not asked, nobody is waited for, who may be such a MOVE himself.
   */
  async evict(key: string, why: string, fold: boolean): Promise<void> {
    await this.#removing.get(key)
    const held = this.#held.get(key)
    if (held === undefined) {
      await this.#closing.get(key)
      return
    }
    const shared = await held.opening.catch(() => undefined)
    if (shared === undefined || this.#held.get(key) !== held) return
    const end = async (): Promise<void> => {
      if (this.#held.get(key) !== held) return
      if (fold) await shared.checkpoint(shared.signal)
      shared.end(why)
      await this.#close(key, held, fold)
    }
    await (fold ? shared.moves.run(end) : end())
  }
  async #close(key: string, held: Held, fold: boolean): Promise<void> {
    if (this.#held.get(key) !== held) return
    held.timer?.[Symbol.dispose]()
    held.timer = undefined
    this.#held.delete(key)
    if (this.#lingering.get(key) === held) this.#lingering.delete(key)
    const closing = (async () => {
      try {
        await (await held.opening).close(fold)
      } catch (error) {
        this.#logger.warn('mail.close-failed', { key, error })
      }
    })()
    this.#closing.set(key, closing)
    await closing
    if (this.#closing.get(key) === closing) this.#closing.delete(key)
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#held].map(([key, held]) => this.#close(key, held, true)))
    await Promise.all([...this.#closing.values(), ...this.#removing.values()])
  }
}
