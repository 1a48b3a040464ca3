import type { Clock, Files } from 'mailwright/api'
import { folderOf, nameOf, pause } from './lock-context.js'
import type { Machine } from '../machine.js'

/** Operations that follow each other within this time, so many times, are no longer a person's. */
const CLOSE_MS = 1000
const MANY = 10
/** A delivery program that found the mailbox locked tries again within this time (procmail after 8 s). */
const WANTED_MS = 10_000
/** Times as long as the lock was held that it is then left free: while somebody waits, and where nobody could be seen waiting. */
const REST_WANTED = 9
const REST_UNSEEN = 1
/** The longest rest: longer ones would be felt more than they help. */
const LONGEST_REST_MS = 2_000
/** A watch on behalf of a mailbox that was not used for so long ends with the next notice. */
const IDLE_MS = 60_000
/** Mailboxes that are kept in mind. */
const REMEMBERED = 1024

interface Use {
  freedAt: number
  heldMs: number
  close: number
  wantedUntil: number
  watch: Disposable | 'none' | undefined
}

/**
 * Leaves others room at a mailbox that this server uses without a pause. Delivery programs look at a dot-lock once in some
 * seconds: their chance is the share of time in which it is free, and nothing tells that they wait but the file that they
 * make beside the mailbox, for an instant, at each try. So while the server is busy with a mailbox its folder is watched; when
 * somebody tries in vain, the lock is left free for nine tenths of the time, until the next try must have come.
 */
export class Courtesy implements Disposable {
  readonly #clock: Clock
  readonly #files: Pick<Files, 'watch'>
  readonly #machine: Pick<Machine, 'host' | 'pid'>
  /** False on file systems that do not tell what others do. */
  readonly #watches: boolean
  readonly #uses = new Map<string, Use>()

  constructor(clock: Clock, files: Pick<Files, 'watch'>, machine: Pick<Machine, 'host' | 'pid'>, watches: boolean) {
    this.#clock = clock
    this.#files = files
    this.#machine = machine
    this.#watches = watches
  }

  /** Before locks are taken: waits as long as others should have their chance. */
  async rest(path: string, signal: AbortSignal): Promise<void> {
    const use = this.#uses.get(path)
    if (use === undefined) return
    const now = this.#clock.steady()
    const gap = now - use.freedAt
    if (gap >= CLOSE_MS && now >= use.wantedUntil) {
      this.#forget(path, use)
      return
    }
    use.close++
    if (use.close < MANY) return
    use.watch ??= this.#watch(path)
    const times = now < use.wantedUntil ? REST_WANTED : use.watch === 'none' ? REST_UNSEEN : 0
    const rest = Math.min(LONGEST_REST_MS, times * use.heldMs) - gap
    if (rest > 0) await pause(this.#clock, Math.ceil(rest), signal)
  }

  /** The lock was given back after it was held for so long. */
  freed(path: string, heldMs: number): void {
    const now = this.#clock.steady()
    const use = this.#uses.get(path)
    if (use !== undefined) {
      use.freedAt = now
      use.heldMs = heldMs
      return
    }
    for (const [oldest, forgotten] of this.#uses) {
      if (this.#uses.size < REMEMBERED) break
      this.#forget(oldest, forgotten)
    }
    this.#uses.set(path, { freedAt: now, heldMs, close: 0, wantedUntil: 0, watch: undefined })
  }

  #watch(path: string): Disposable | 'none' {
    if (!this.#watches) return 'none'
    try {
      return this.#files.watch(folderOf(path), (name) => {
        const use = this.#uses.get(path)
        const now = this.#clock.steady()
        if (use === undefined) return
        if (now - use.freedAt > IDLE_MS) this.#forget(path, use)
        else if (name !== undefined && this.#isTry(nameOf(path), name)) use.wantedUntil = now + WANTED_MS
      })
    } catch {
      // No more notices to be had on this machine.
      return 'none'
    }
  }
  /** Whether a file that came or went may be somebody's try; not the mailbox, a lock, or what this server makes. */
  #isTry(mailbox: string, name: string): boolean {
    if (name === mailbox || name.endsWith('.lock') || name.endsWith('.mailwright-redo')) return false
    return !name.endsWith(`.${this.#machine.pid}.${this.#machine.host}`) && name.includes(this.#machine.host.split('.')[0] ?? '')
  }
  #forget(path: string, use: Use): void {
    if (typeof use.watch === 'object') use.watch[Symbol.dispose]()
    this.#uses.delete(path)
  }
  [Symbol.dispose](): void {
    for (const [path, use] of this.#uses) this.#forget(path, use)
  }
}
