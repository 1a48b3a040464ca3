import { failedWith } from 'mailwright/api'
import type { FilePlace, Files, FileStat, OpenFile } from 'mailwright/api'
import { makeFolders } from '../folders.js'
import { closeRead } from '../small-read.js'
import { folderOf, nameOf } from '../locks/lock-context.js'
import { MAGIC, octetsAt } from './redo-format.js'

const CROSSED_OUT = Buffer.alloc(MAGIC.length)
/** A redo file that stays grows in such steps, and keeps at most so much. */
export const ROOM = 1 << 14
export const MOST_ROOM = 1 << 21

export const REDO_SUFFIX = '.mailwright-redo'
/** Where the redo file of a mailbox lies, and where it may lie as well. */
export interface RedoPlaces {
  readonly first: string
  readonly second: string
}
/**
 * For a user's own mailboxes it lies in the user's state directory, and stays there for the next time. For others it
 * lies beside the mailbox, where every server process that may change the mailbox finds it, for the time of the change.
 */
export function redoPlaces(place: FilePlace, stateDirectory: string, file: { readonly device: number; readonly inode: number }): RedoPlaces {
  const { path, user } = place
  const state = `${stateDirectory}/redo/${file.device.toString(16)}-${file.inode.toString(16)}${REDO_SUFFIX}`
  const beside = `${folderOf(path)}/.${nameOf(path)}${REDO_SUFFIX}`
  const own = (user.home !== undefined && path.startsWith(`${user.home}/`)) || nameOf(path) === user.name
  return own ? { first: state, second: beside } : { first: beside, second: state }
}

/** The mailbox is gone, and whoever removed it has its inode still, so that no other has it: the redo file that stayed for its next change goes as well. What is not to be had is left. */
export async function forgetRedo(files: Files, { first, second }: RedoPlaces, stateDirectory: string): Promise<void> {
  for (const path of [first, second]) if (path.startsWith(`${stateDirectory}/`)) await files.unlink(path).catch(() => undefined)
}

/** A redo file ready to be written. */
export interface OpenRedo {
  readonly file: OpenFile
  /** Its name is new and not yet durable. */
  readonly fresh: boolean
  /** What it has, where it stays; undefined for one that goes again. */
  readonly room: number | undefined
}
/** Opens the redo file at its first place or, where that folder takes none, at its second. */
export async function openRedo(files: Files, places: RedoPlaces, stateDirectory: string): Promise<OpenRedo> {
  try {
    return await openAt(files, places.first, stateDirectory)
  } catch (error) {
    if (!failedWith(error, 'EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT')) throw error
  }
  return openAt(files, places.second, stateDirectory)
}
async function openAt(files: Files, path: string, stateDirectory: string): Promise<OpenRedo> {
  const stays = path.startsWith(`${stateDirectory}/`)
  try {
    // Recovery has looked at what was there; what is left is of no use.
    const file = await files.open(path, { write: true, noFollow: true })
    const room = stays ? await sizeOrClosed(file) : undefined
    return { file, fresh: false, room }
  } catch (error) {
    if (!failedWith(error, 'ENOENT', 'ENOTDIR')) throw error
  }
  if (stays) await makeFolders(files, folderOf(path))
  return { file: await files.open(path, { write: true, create: 'if-missing', noFollow: true, mode: 0o600 }), fresh: true, room: stays ? 0 : undefined }
}
async function sizeOrClosed(file: OpenFile): Promise<number> {
  try {
    return (await file.stat()).size
  } catch (error) {
    await file.close()
    throw error
  }
}
/** What it says is done, or not to be done. It keeps its blocks, up to so many octets. */
export async function crossOut(redo: OpenFile, most: number): Promise<void> {
  const { size } = await redo.stat()
  // An empty one says nothing, and on a full disk it stays empty.
  if (size > 0) await redo.write([CROSSED_OUT], 0)
  if (size > most) await redo.truncate(most)
}
/**
 * The change is complete, or was not begun. A redo file that stays gets a time drawn by lot, so that other processes of
 * the server see that there was a change. Where that is refused it is emptied, or else removed. Says whether it is longer than
 * it is to stay, which only one is that may be (`keepsAll`).
 */
export async function clearRedo(files: Files, redo: OpenFile, stateDirectory: string, mark: number, keepsAll = false): Promise<boolean> {
  try {
    return await crossOutOrRemove(files, redo, stateDirectory, mark, keepsAll)
  } catch (error) {
    await redo.truncate(0).catch(async () => {
      await files.unlink(redo.path)
      await files.syncDirectory(folderOf(redo.path))
    }).catch(() => {
      throw error
    })
    return false
  }
}
async function crossOutOrRemove(files: Files, redo: OpenFile, stateDirectory: string, mark: number, keepsAll: boolean): Promise<boolean> {
  if (!redo.path.startsWith(`${stateDirectory}/`)) {
    await files.unlink(redo.path)
    return false
  }
  const { size } = await redo.stat()
  const isLong = size > MOST_ROOM
  await crossOut(redo, isLong && !keepsAll ? ROOM : size)
  // Whole milliseconds are read back as they are written.
  await redo.setTimes(mark, mark)
  return isLong && keepsAll
}
/** Shortens what a large change left crossed out; to everybody the last change stays the one that it was. The caller has the mailbox's locks. */
export async function shortenRedo(files: Files, { first, second }: RedoPlaces, stateDirectory: string): Promise<void> {
  for (const path of [first, second]) {
    if (!path.startsWith(`${stateDirectory}/`)) continue
    const there = await files.lstat(path)
    if (there === undefined || there.size <= MOST_ROOM || (await saysSomething(files, path, there))) continue
    const redo = await files.open(path, { write: true, noFollow: true })
    try {
      await redo.truncate(ROOM)
      const mark = Math.round(there.mtimeMs)
      await redo.setTimes(mark, mark)
    } finally {
      await redo.close()
    }
  }
}
/**
 * Whether a change was interrupted, and what tells the last change of this server from others. `crossedOut`: the mark of one that is known to be; with
 * another in its place, the redo file has another time.
 */
export async function lookAtRedo(files: Files, places: RedoPlaces, crossedOut = 0): Promise<{ readonly interrupted: boolean; readonly mark: number }> {
  const [first, second] = await Promise.all([files.lstat(places.first), files.lstat(places.second)])
  const mark = Math.round(first?.mtimeMs ?? 0)
  const firstSays = first !== undefined && (mark === 0 || mark !== crossedOut) && (await saysSomething(files, places.first, first))
  return { interrupted: firstSays || (second !== undefined && (await saysSomething(files, places.second, second))), mark }
}
/** Whether it is not crossed out; recovery finds out how much it is worth. */
async function saysSomething(files: Files, path: string, { kind, size }: FileStat): Promise<boolean> {
  if (kind !== 'file' || size === 0) return false
  let redo: OpenFile
  try {
    redo = await files.open(path, { noFollow: true })
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return false
    throw error
  }
  try {
    return !(await octetsAt(redo, 0, CROSSED_OUT.length)).equals(CROSSED_OUT)
  } finally {
    closeRead(redo)
  }
}
