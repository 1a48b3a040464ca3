import { failedWith } from 'mailwright/api'
import type { FileStat, OpenFile } from 'mailwright/api'

/*
 * Programs of this family read the times of a mailbox: modified is when flags were, accessed is when somebody read, and a change after the
 * last access is new mail.
 */

/** More than what counts as the same time. */
const APART_MS = 0.003

/** Returns whether that could be done. */
export async function setFileTimes(file: OpenFile, atimeMs: number, mtimeMs: number): Promise<boolean> {
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
 * within the same tick of the clock of files leaves another time; that of the change before, which others know, is not left again. Returns whether
 * that could be done.
 */
export async function flagsChanged(file: OpenFile, nowMs: number, lot: number, beforeMs: number): Promise<boolean> {
  const drawn = (await file.stat()).mtimeMs - (2 + lot) / 1000
  return setFileTimes(file, nowMs, Math.abs(drawn - beforeMs) < APART_MS ? drawn - 2 * APART_MS : drawn)
}
/** A lot for `flagsChanged`. */
export function lotOf(random: (octets: number) => Uint8Array): number {
  const [high = 0, low = 0] = random(2)
  return (high * 256 + low) % 997
}
/** Somebody who may take it has seen the new mail. */
export async function mailSeen(file: OpenFile, nowMs: number, mtimeMs?: number): Promise<void> {
  await setFileTimes(file, nowMs, mtimeMs ?? (await file.stat()).mtimeMs)
}
/** When somebody last read a mailbox that nobody read since mail came. */
export function cameAt(nowMs: number): number {
  return nowMs - 1000
}
/** What is left of a delivery. */
export interface Arrival {
  /** When somebody last read: `cameAt`, or now when the messages were given to a session. */
  readonly atimeMs: number
  readonly lot: number
  /** When flags were changed before. */
  readonly mtimeMs: number
  /** No flag was changed since; where some may have been, all look at all flags again. */
  readonly undisturbed: boolean
}
/** New mail came. Returns whether the times are of our making. */
export async function mailCame(file: OpenFile, { atimeMs, lot, mtimeMs, undisturbed }: Arrival): Promise<boolean> {
  if (!undisturbed) return flagsChanged(file, atimeMs, lot, mtimeMs)
  await setFileTimes(file, atimeMs, mtimeMs)
  return false
}
/** Flags were repaired: that makes no new mail of what was seen, and no seen mail of what is new. */
export async function keepSeen(file: OpenFile, before: FileStat, now: FileStat): Promise<void> {
  await setFileTimes(file, before.atimeMs >= before.mtimeMs ? Math.max(before.atimeMs, now.mtimeMs) : before.atimeMs, now.mtimeMs)
}
/** A look must not make new mail look seen. */
export async function keepAccess(file: OpenFile, before: FileStat): Promise<void> {
  if (before.ctimeMs > before.atimeMs && (await file.stat()).atimeMs !== before.atimeMs) await setFileTimes(file, before.atimeMs, before.mtimeMs)
}
