import { hostname } from 'node:os'
import { performance } from 'node:perf_hooks'

/** This process, as lock files name it, and what can be known of others. */
export interface Machine {
  readonly host: string
  readonly pid: number
  /** When this process began, in milliseconds: tells it from an earlier one of the same number, as there is in every container. */
  readonly bornMs: number
  /** Whether the machine has a process of this number. */
  exists(pid: number): boolean
  /** Sends SIGUSR2, by which mail programs of the c-client family ask each other to give up a mailbox; false when it may not or cannot be sent. */
  ask(pid: number): boolean
  /** Whether this process bears to be asked: by default the signal would end it. */
  bearsAsking(): boolean
}

export function thisMachine(): Machine {
  return { host: hostname(), pid: process.pid, bornMs: Math.round(performance.timeOrigin), exists, ask, bearsAsking: () => process.listenerCount('SIGUSR2') > 0 }
}
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's process exists as well (EPERM).
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}
function ask(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGUSR2')
  } catch {
    // Somebody else's process, or none any more.
    return false
  }
}
