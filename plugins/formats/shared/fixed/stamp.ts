import type { FileStat } from 'mailwright/api'
import type { FileHeader } from './file-header.js'

/** The state of the file that rows and columns describe. */
export interface FileState {
  readonly device: number
  readonly inode: number
  readonly size: number
  readonly mtimeMs: number
  readonly ctimeMs: number
  /** Something else may have been written at the same time without leaving another one. */
  readonly recent: boolean
  /** Of formats that keep one in the file; what they would keep of the others. */
  readonly header: FileHeader
  /** Those of the messages, where it is known: what else there is are holes. */
  readonly octets?: number | undefined
}
type Seen = Pick<FileStat, 'device' | 'inode' | 'size' | 'mtimeMs' | 'ctimeMs'>

/** The clock of files ticks so slowly. */
const TICK_MS = 50
/** Programs of the family leave whole seconds (utime): what they do later in the same second leaves the same time. */
const SECOND_MS = 1000
/** Times are set by microseconds, and floating. */
const SAME_MS = 0.0015

/** Something else may be written in the same tick, or second, that such a time tells. */
export function isRecent(mtimeMs: number, nowMs: number): boolean {
  return Math.abs(nowMs - mtimeMs) < (mtimeMs % SECOND_MS === 0 ? SECOND_MS + TICK_MS : TICK_MS)
}
/** `settled`: this process set a time that the clock of files does not give by itself. `octets` of the messages. */
export function fileState(stat: Seen | undefined, header: FileHeader, nowMs: number, settled: boolean, octets?: number): FileState {
  const { device, inode, size, mtimeMs, ctimeMs } = stat ?? { device: 0, inode: 0, size: 0, mtimeMs: 0, ctimeMs: 0 }
  return { device, inode, size, mtimeMs, ctimeMs, recent: !settled && stat !== undefined && isRecent(mtimeMs, nowMs), header, octets }
}

export function encodeStamp(format: string, s: FileState): string {
  return JSON.stringify([format, s])
}
/** Undefined for what another format or version wrote. */
export function decodeStamp(format: string, stamp: string | undefined): FileState | undefined {
  if (stamp === undefined) return undefined
  try {
    const [version, state] = JSON.parse(stamp) as [string, FileState]
    return version === format ? state : undefined
  } catch {
    return undefined
  }
}

export function sameFile(known: FileState, now: Seen): boolean {
  return now.device === known.device && now.inode === known.inode
}
/** Flags are written with the modification time; messages are appended with a new size. Other times are those of readers. */
export function sameMtime(known: FileState, now: Seen): boolean {
  return Math.abs(now.mtimeMs - known.mtimeMs) < SAME_MS
}
/** Whether nothing has happened. `held`: nobody can have moved messages since. */
export function isUnchanged(known: FileState, now: Seen | undefined, held: boolean): boolean {
  if (now === undefined) return known.inode === 0
  return sameFile(known, now) && now.size === known.size && sameMtime(known, now) && !known.recent && (held || now.ctimeMs === known.ctimeMs)
}
