import { spawn, type ChildProcess } from 'node:child_process'
import { access, constants, lstat, open } from 'node:fs/promises'
import { MailError, type Clock, type HeldLock, type Locker, type Logger } from 'mailwright/api'

/** What it is told by its settings and the host's. */
export interface MlockParts {
  /** Absolute paths; the first that can be run is used. */
  readonly programs: readonly string[]
  /** How long an answer is waited for: as long as any lock may take. */
  readonly timeoutMs: number
  readonly clock: Clock
  readonly logger: Pick<Logger, 'warn'>
}

/** The descriptor under which the program finds the mailbox. */
const MAILBOX = 3
const LOCKED = '+'
/** The program removes the lock in a few system calls. */
const RELEASE_MS = 10_000

/**
 * The lock program of the UW toolkit: `mlock FD MAILBOX`, the mailbox open as that descriptor. It answers with one octet, `+` when it has made
 * MAILBOX.lock, and removes the lock when its standard input says anything or ends. So a lock never outlives the server: whatever becomes of
 * that, the program's input ends. Nobody kills the program, which would leave the lock behind.
 */
export class MlockLocker implements Locker {
  readonly #parts: MlockParts
  constructor(parts: MlockParts) {
    this.#parts = parts
  }

  async lock(mailbox: string, signal: AbortSignal): Promise<HeldLock | undefined> {
    signal.throwIfAborted()
    const program = await firstRunnable(this.#parts.programs)
    if (program === undefined) {
      this.#parts.logger.warn(`Mailbox lock program missing: ${this.#parts.programs.join(', ')}`)
      return undefined
    }
    const file = await open(mailbox, 'r')
    let child: ChildProcess
    try {
      // A group of its own: a signal to the server's is not one to the holder of a lock.
      child = spawn(program, [String(MAILBOX), mailbox], { cwd: '/', env: {}, detached: true, stdio: ['pipe', 'pipe', 'ignore', file.fd] })
    } finally {
      await file.close()
    }
    const holder = new Holder(child, this.#parts.clock)
    const answer = await holder.answer(this.#parts.timeoutMs, signal)
    if (answer === LOCKED) return holder
    await holder.release()
    signal.throwIfAborted()
    if (await isThere(`${mailbox}.lock`)) throw new MailError('in-use', `${program}: another program has ${mailbox}.lock`)
    this.#parts.logger.warn(`Mailbox lock program ${program} does not lock ${mailbox}: ${answer === undefined ? 'no answer' : `it answers "${answer}"`}`)
    return undefined
  }
}

/** The running program, which has the lock or tries to get it. */
class Holder implements HeldLock {
  readonly #child: ChildProcess
  readonly #clock: Clock
  /** Resolves when the program has ended, or could not be started. */
  readonly #ended: Promise<void>
  constructor(child: ChildProcess, clock: Clock) {
    this.#child = child
    this.#clock = clock
    this.#ended = new Promise((resolve) => {
      child.once('close', () => resolve())
      child.once('error', () => resolve())
    })
    // A program that does not read its input has ended, or ends.
    child.stdin?.on('error', () => undefined)
  }
  /** The first octet of what it says; undefined when it ends, takes too long, or the signal is given before that. */
  answer(withinMs: number, signal: AbortSignal): Promise<string | undefined> {
    return new Promise((resolve) => {
      const done = (octet: string | undefined): void => {
        timer[Symbol.dispose]()
        signal.removeEventListener('abort', stop)
        resolve(octet)
      }
      const stop = (): void => done(undefined)
      const timer = this.#clock.after(withinMs, stop)
      signal.addEventListener('abort', stop, { once: true })
      this.#child.stdout?.once('data', (said: Buffer) => done(said.toString('latin1', 0, 1)))
      void this.#ended.then(stop)
    })
  }
  async release(): Promise<void> {
    this.#child.stdin?.end(LOCKED)
    // Until the lock is gone nobody else can have it; whoever comes next is not to wait for what nobody holds.
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(RELEASE_MS, resolve)
      void this.#ended.then(() => {
        timer[Symbol.dispose]()
        resolve()
      })
    })
  }
}

async function firstRunnable(programs: readonly string[]): Promise<string | undefined> {
  for (const program of programs) {
    try {
      await access(program, constants.X_OK)
      return program
    } catch {
      // The next one, then.
    }
  }
  return undefined
}
async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch {
    return false
  }
}
