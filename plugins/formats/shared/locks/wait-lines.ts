import { hostname } from 'node:os'
import type { Clock, Logger, TableEdit, TellWait, Turns } from 'mailwright/api'
import type { LockContext, Say } from './lock-context.js'

/** A shorter wait is nothing to speak of. */
const SILENT_MS = 1000
const SAID_EVERY_MS = 15_000

/**
 * What operations of this process wait for, by the path of the mailbox. Whoever waits for its turn at a mailbox hears what the
 * one before it waits for.
 */
export class WaitLines {
  readonly #now = new Map<string, string>()
  /** Lists are replaced and never changed: one who comes while a line is said hears it as it comes. */
  readonly #hearers = new Map<string, readonly Say[]>()

  /** Hears of one mailbox until disposed, at once if there is something. */
  hear(path: string, say: Say): Disposable {
    const own: Say = (severity, text) => say(severity, text)
    this.#hearers.set(path, [...(this.#hearers.get(path) ?? []), own])
    const now = this.#now.get(path)
    if (now !== undefined) own('waiting', now)
    return {
      [Symbol.dispose]: () => {
        const others = this.#hearers.get(path)?.filter((other) => other !== own) ?? []
        if (others.length > 0) this.#hearers.set(path, others)
        else this.#hearers.delete(path)
      },
    }
  }
  /** The voice of the operation whose turn it is: what it waits for is said to all who hear. */
  spoken(path: string, say: Say): Say & Disposable {
    const spoken: Say = (severity, text) => {
      if (severity !== 'waiting') return say(severity, text)
      this.#now.set(path, text)
      for (const hear of this.#hearers.get(path) ?? []) hear('waiting', text)
    }
    return Object.assign(spoken, { [Symbol.dispose]: () => void this.#now.delete(path) })
  }
}

/** Locks of formats that have one in a file of the mailbox: who waits for it is told, and so is the operator. */
export interface ToldLocks extends LockContext {
  readonly logger: Pick<Logger, 'info' | 'warn'>
  readonly waits: WaitLines
}

/** What a format gives; one set of locks for each host. */
export function toldLocks({ machine = { host: hostname(), pid: process.pid }, ...parts }: Omit<ToldLocks, 'waits' | 'machine'> & Partial<Pick<ToldLocks, 'machine'>>): ToldLocks {
  return { ...parts, machine, waits: new WaitLines() }
}

/** Runs in the turn of a mailbox. What the one before it waits for is said to it, and what it waits for to those behind it. */
export async function inTurn<T>({ turns, locks }: { readonly turns: Turns; readonly locks: Pick<ToldLocks, 'waits'> }, path: string, say: Say, work: (say: Say) => Promise<T>): Promise<T> {
  using _heard = locks.waits.hear(path, say)
  return await turns.run(path, async () => {
    using spoken = locks.waits.spoken(path, say)
    return await work(spoken)
  })
}
/** For operations without an open mailbox: whoever asked for them hears what they wait for, and nobody the rest. */
export function sayWaits(waits: TellWait | undefined): Say {
  return (severity, text) => {
    if (severity === 'waiting') waits?.(text)
  }
}
/** The same for the sessions on a mailbox whose edit this is. */
export function waitsOf(edit: TableEdit | undefined): Say {
  return sayWaits(edit && ((text) => edit.waits(text)))
}
/** What a wait for another program's lock is to those who wait. */
export function isLockedFor(path: string, leftMs: number): string {
  return `Mailbox ${path} is locked by another program, waiting for it for up to ${Math.ceil(leftMs / 1000)} seconds...`
}

/** One wait: what is waited for is said when the wait is long enough to be felt, then every 15 s; the operator hears of it once. */
export class Wait {
  readonly #clock: Clock
  readonly #say: Say
  readonly #logger: { info(text: string): void }
  #sayAt: number
  #isLogged = false

  constructor({ clock, logger }: { readonly clock: Clock; readonly logger: { info(text: string): void } }, say: Say) {
    this.#clock = clock
    this.#logger = logger
    this.#say = say
    this.#sayAt = clock.steady() + SILENT_MS
  }
  /** To be called before each pause. */
  goesOn(text: () => string): void {
    const now = this.#clock.steady()
    if (now < this.#sayAt) return
    this.#sayAt = now + SAID_EVERY_MS
    const line = text()
    this.#say('waiting', line)
    if (!this.#isLogged) this.#logger.info(line)
    this.#isLogged = true
  }
}
