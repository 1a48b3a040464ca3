import type { Clock, Files, LockSettings } from 'mailwright/api'

/** What taking a lock needs of the machine. */
export interface LockContext {
  readonly files: Files
  readonly clock: Clock
  readonly random: (octets: number) => Uint8Array
  readonly settings: LockSettings
  /** Host and process as lock files of this machine name them. */
  readonly machine: { readonly host: string; readonly pid: number }
}
/** What a text for whoever has the mailbox open is; `waiting`: why nothing happens now. */
export type Severity = 'information' | 'warning' | 'waiting'
/** Texts for whoever has the mailbox open. */
export type Say = (severity: Severity, text: string) => void

/** Resolves after a time, rejects when the signal is raised first. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const stop = (): void => {
      timer[Symbol.dispose]()
      reject(signal.reason)
    }
    const timer = clock.after(ms, () => {
      signal.removeEventListener('abort', stop)
      resolve()
    })
    signal.addEventListener('abort', stop, { once: true })
  })
}

/**
 * Time before the next try: short at first, since most locks are held for milliseconds, and up to a second with a
 * random share, since programs disagree about the order of locks and must not meet in step for ever.
 */
export function backOff(ctx: LockContext, tries: number): number {
  const most = Math.min(1000, 10 * 2 ** Math.min(tries, 7))
  return Math.ceil(most * (0.5 + (ctx.random(1)[0] ?? 0) / 512))
}

/** The reason of a failed system call as the operator knows it. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Folder of a path. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash > 0 ? path.slice(0, slash) : '/'
}
/** Last component of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
