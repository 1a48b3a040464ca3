import type { FileStat, OpenFile } from 'mailwright/api'
import { failedWith } from '../lock-context.js'

/*
 * Programs of this family read the times of a mailbox: modified is when flags were, accessed is when somebody read, and a change after the
 * last access is new mail.
 */

async function set(file: OpenFile, atimeMs: number, mtimeMs: number): Promise<boolean> {
  try {
    await file.setTimes(atimeMs, mtimeMs)
    return true
  } catch (error) {
    // Only the owner may, and a read-only file system never.
    if (!failedWith(error, 'EPERM', 'EACCES', 'EROFS')) throw error
    return false
  }
}
/**
 * After a change of flags, which the one who changed them has seen. The part of a millisecond is drawn by lot: a change that somebody makes
 * within the same tick of the clock of files leaves another time. Returns whether that could be done.
 */
export async function flagsChanged(file: OpenFile, nowMs: number, lot: number): Promise<boolean> {
  return set(file, nowMs, (await file.stat()).mtimeMs - (1 + lot) / 1000)
}
/** Somebody who may take it has seen the new mail. */
export async function mailSeen(file: OpenFile, nowMs: number, mtimeMs?: number): Promise<void> {
  await set(file, nowMs, mtimeMs ?? (await file.stat()).mtimeMs)
}
/** New mail came: nobody has read since. No flag was changed. */
export async function mailCame(file: OpenFile, before: FileStat, nowMs: number): Promise<void> {
  await set(file, nowMs - 1000, before.mtimeMs)
}
/** A look must not make new mail look seen. */
export async function keepAccess(file: OpenFile, before: FileStat): Promise<void> {
  if (before.ctimeMs > before.atimeMs && (await file.stat()).atimeMs !== before.atimeMs) await set(file, before.atimeMs, before.mtimeMs)
}
