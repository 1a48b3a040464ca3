import type { Clock, FileTools, LockSettings } from 'mailwright/api'
import { Leftovers } from './leftovers.js'
import type { Say, Severity } from './lock-context.js'
import { fileLocks, type FileLocks } from './locks.js'
import type { Machine } from '../machine.js'

/** What a task on another thread needs to take locks as this process would; values. */
export interface LockValues {
  readonly locks: LockSettings
  /** Others make lock files where this user may not. */
  readonly lent: boolean
  readonly machine: Pick<Machine, 'host' | 'pid' | 'bornMs'> & { readonly bearsAsking: boolean }
}
/** What came up while the locks were had; values. */
export interface LockNews {
  readonly said: readonly (readonly [Severity, string])[]
  /** What the operator is to be told. */
  readonly logged: readonly (readonly ['info' | 'warn', string])[]
}
/** Locks that nobody waits for. */
export interface ImpatientLocks {
  readonly locks: FileLocks
  readonly clock: Clock
  /** Given when a lock is held by somebody else: one that fails is done without where that is the rule, one that is given up is not. */
  readonly signal: AbortSignal
  readonly say: Say
  readonly news: LockNews
}

export function lockValues({ settings, lockers, machine }: FileLocks): LockValues {
  const { host, pid, bornMs } = machine
  return { locks: settings, lent: lockers.length > 0, machine: { host, pid, bornMs, bearsAsking: machine.bearsAsking() } }
}
/** Folders are looked through once by each thread. */
const leftovers = new Leftovers()

/** On the other thread. Whoever asked waits, in the general way and without keeping the thread: for a holder, for lock files that others make, and for whom to ask. */
export function impatientLocks({ files, clock: ticking, random }: FileTools, values: LockValues): ImpatientLocks {
  const giveUp = new AbortController()
  const stop = (): never => {
    const occupied = new Error('somebody else holds a lock')
    giveUp.abort(occupied)
    throw occupied
  }
  const said: (readonly [Severity, string])[] = []
  const logged: (readonly ['info' | 'warn', string])[] = []
  const logger = { info: (text: string) => void logged.push(['info', text]), warn: (text: string) => void logged.push(['warn', text]) }
  const clock: Clock = { now: () => ticking.now(), steady: () => ticking.steady(), after: stop }
  const machine: Machine = { ...values.machine, bearsAsking: () => values.machine.bearsAsking, exists: () => true, ask: () => false }
  const locks = fileLocks({ files, clock, random, settings: values.locks, logger, watch: false, machine, lockers: values.lent ? [{ lock: async () => stop() }] : [] })
  return { locks: { ...locks, leftovers }, clock, signal: giveUp.signal, say: (severity, text) => void said.push([severity, text]), news: { said, logged } }
}
/** Back in the process that asked. */
export function tellNews({ said, logged }: LockNews, { logger }: FileLocks, say: Say): void {
  for (const [level, text] of logged) logger[level](text)
  for (const [severity, text] of said) say(severity, text)
}
