import { failedWith, type FileLane, type FileTask, type FileTools } from 'mailwright/api'
import { writeOctetsTo, type Octets } from './octet-writes.js'

/** Single octets for a mailbox file that the caller has locked; values, so that they may be written on another thread. */
export interface OctetsToWrite extends Octets {
  readonly path: string
  /** The file that must have this name. */
  readonly device: number
  readonly inode: number
  /** Written before all others. */
  readonly first: readonly { readonly at: number; readonly octets: Uint8Array }[]
  /** Against all other programs. */
  readonly locked: boolean
  /** They are on the disk when it is done. */
  readonly durable: boolean
}

/** False: another file has the name, or none, and nothing was written. A failed write may have written a part. */
export async function run({ files }: FileTools, { path, device, inode, first, at, octets, locked, durable }: OctetsToWrite): Promise<boolean> {
  const file = await files.open(path, { write: true }).catch((error: unknown) => {
    if (failedWith(error, 'ENOENT', 'EACCES', 'EPERM')) return undefined
    throw error
  })
  if (file === undefined) return false
  try {
    const there = await file.stat()
    if (there.device !== device || there.inode !== inode) return false
    for (const c of first) await file.write([c.octets], c.at)
    await writeOctetsTo(file, { at, octets }, locked)
    if (durable) await file.sync()
    return true
  } finally {
    await file.close()
  }
}

/** So many writes through the event loop take longer than a thread takes to start. */
const LONG = 1000
const task: FileTask<OctetsToWrite, boolean> = { module: import.meta.url, run }
export function writeOctets(lane: FileLane, what: OctetsToWrite): Promise<boolean> {
  return lane.run({ ...task, long: what.at.length >= LONG }, what)
}
