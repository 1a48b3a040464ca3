import type { Locker, Logger } from 'mailwright/api'
import { Courtesy } from './courtesy.js'
import { Leftovers } from './leftovers.js'
import type { LockContext } from './lock-context.js'
import { thisMachine, type Machine } from '../machine.js'
import { WaitLines } from './wait-lines.js'

/** What lock files need beyond that; one per format and host. */
export interface FileLocks extends LockContext {
  readonly machine: Machine
  /** What the operator should know of locks. */
  readonly logger: Pick<Logger, 'info' | 'warn'>
  readonly leftovers: Leftovers
  /** Asked where the folder takes no lock file. */
  readonly lockers: readonly Locker[]
  readonly courtesy: Courtesy
  readonly waits: WaitLines
  /** Holders of owner locks that were asked to give up, by lock file, and did not: the process, and until when it is not asked again. */
  readonly refusals: Map<string, { readonly pid: number; readonly untilMs: number }>
}
/** What a format gives; `watch`: the file system tells what others do. */
export interface LockParts extends Pick<FileLocks, 'files' | 'clock' | 'random' | 'settings' | 'logger'> {
  readonly watch: boolean
  readonly lockers?: readonly Locker[]
  readonly machine?: Machine
}
export function fileLocks({ files, clock, random, settings, logger, watch, lockers = [], machine = thisMachine() }: LockParts): FileLocks {
  return { files, clock, random, settings, logger, machine, lockers, leftovers: new Leftovers(), courtesy: new Courtesy(clock, files, machine, watch), waits: new WaitLines(), refusals: new Map() }
}
