import { failedWith } from 'mailwright/api'
import type { FileStat, OpenFile } from 'mailwright/api'
import type { FileLocks } from './locks.js'
import type { Machine } from '../machine.js'

/*
 * What this server writes into its lock files: `PID:HOST`, as Dovecot and liblockfile read it, and behind a NUL, where
 * programs in C stop reading, that the lock is one of ours and how it is to be judged.
 */

/** Content of a lock file. `flock`: the holder keeps a flock on the lock file itself, which ends with the holder. */
export function holderText(machine: Machine, flock: boolean): Uint8Array {
  return Buffer.from(`${machine.pid}:${machine.host}\0mailwright ${flock ? 'flock' : 'pid'} ${machine.bornMs}\n`)
}
/** Holder of a lock file that this server wrote. */
export interface Holder {
  readonly pid: number
  readonly host: string
  readonly flock: boolean
  readonly bornMs: number
}
const FORM = /^([1-9]\d{0,9}):([^\0]+)\0mailwright (flock|pid) (\d{1,16})\n$/
/** Longer content is none of ours. */
export const LONGEST_HOLDER = 512

/** Undefined for the lock files of other programs. */
export function readHolder(content: Uint8Array): Holder | undefined {
  const [, pid, host, kind, born] = FORM.exec(Buffer.from(content).toString('utf8')) ?? []
  return pid === undefined || host === undefined ? undefined : { pid: Number(pid), host, flock: kind === 'flock', bornMs: Number(born) }
}

/** A lock of ours whose holder is gone. */
export interface Orphan {
  readonly pid: number
  readonly inode: number
}
/**
 * Whether a lock file is one of ours, of this host, whose process is gone. The flock says so for certain, whatever became of
 * the number of the process; where there is none to be had, a number that no process has says so.
 */
export async function orphanOf(ctx: FileLocks, lock: string, there: FileStat): Promise<Orphan | undefined> {
  if (there.kind !== 'file' || there.size === 0 || there.size > LONGEST_HOLDER) return undefined
  let file: OpenFile
  try {
    file = await ctx.files.open(lock, { noFollow: true })
  } catch (error) {
    // Gone in between, or not for us to see: no verdict, so that it is waited for like any other.
    if (failedWith(error, 'ENOENT', 'EACCES', 'EPERM', 'ELOOP')) return undefined
    throw error
  }
  try {
    const content = Buffer.alloc(LONGEST_HOLDER)
    const holder = readHolder(content.subarray(0, await file.read(content, 0)))
    if (holder === undefined || holder.host !== ctx.machine.host) return undefined
    // A shared lock, so that several who look do not take each other for the holder.
    const flock = holder.flock && ctx.settings.kernelLocks.includes('flock') ? file.lock('flock', 'shared') : 'unavailable'
    if (flock === 'busy' || (flock === 'unavailable' && lives(ctx.machine, holder))) return undefined
    return { pid: holder.pid, inode: (await file.stat()).inode }
  } finally {
    await file.close()
  }
}
/** Another process may have got the number since; then it is waited for as for any other program's lock. */
function lives(machine: Machine, holder: Holder): boolean {
  return holder.pid === machine.pid ? holder.bornMs === machine.bornMs : machine.exists(holder.pid)
}
