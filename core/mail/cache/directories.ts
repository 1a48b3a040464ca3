import { createHash } from 'node:crypto'
import type { Files, OpenFile } from '../../api/index.js'

/**
 * Makes a folder and those above it that are missing, for their owner alone. The names of `lasting` and of those above it are on the disk then; the others are synced
 * by whoever needs them.
 */
export async function makePath(files: Files, path: string, lasting?: string): Promise<void> {
  if ((await files.stat(path)) !== undefined) return
  const above = path.slice(0, path.lastIndexOf('/'))
  if (above !== '') await makePath(files, above, lasting)
  try {
    await files.makeDirectory(path, 0o700)
  } catch (error) {
    // Somebody else was faster.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
  if (lasting !== undefined && (path === lasting || lasting.startsWith(`${path}/`))) await files.syncDirectory(above === '' ? '/' : above)
}
/** Name of the folder of what lies beside a mailbox; keys may be of any length and octets. */
export function folderOf(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 40)
}
/** Octets of a file that are read while the event loop waits, where they are in memory: two tenths of a millisecond, less than two ways through the pool cost it. */
const AT_ONCE = 1 << 20
/** Room for them, which nobody has longer than one call. What no file ever filled takes no memory. */
let room: Uint8Array | undefined
/** Everything of a file; undefined when there is none. */
export async function readWhole(files: Files, path: string): Promise<Uint8Array | undefined> {
  let file: OpenFile
  try {
    file = await files.open(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  try {
    return await contentOf(file)
  } finally {
    // It was only read: nobody has to wait for that, and nothing can be lost by it.
    file.close().catch(() => undefined)
  }
}
/** Everything of an open file, in memory of its own. */
export async function contentOf(file: OpenFile): Promise<Uint8Array> {
  room ??= new Uint8Array(AT_ONCE)
  const there = file.readSomeNow?.(room, 0)
  // In a full room there may be more.
  if (there !== undefined && there < room.length) return room.slice(0, there)
  const { size } = await file.stat()
  const bytes = new Uint8Array(size)
  const n = await file.read(bytes, 0)
  return n === size ? bytes : bytes.subarray(0, n)
}
/** Whether it is said of a file that neither it nor its folder is there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}
/** Puts a file in the place of the old one at once. Not synced: checksums tell what a power failure did to it. */
export async function replaceFile(files: Files, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.new`
  await files.unlink(temporary).catch(() => undefined)
  const file = await files.open(temporary, { write: true, create: 'new' })
  try {
    await file.write([bytes], 0)
  } finally {
    await file.close()
  }
  await files.rename(temporary, path)
}
