import { isTextName, type Files } from 'mailwright/api'
import { decodeMailboxName, encodeMailboxName } from 'mailwright/toolkit'
import { below } from './paths.js'

/*
 * Names of files are those that the programs of this kind have always made: modified UTF-7, as on the wire. Files that were named otherwise
 * (`Entwürfe`, `R&D`) are found under their own names.
 */

/** Files of ours and of programs of this kind; no mailboxes whatever they hold. */
const INTERNAL = /^(?:\.mailwright|\.mailboxlist|\.mlbxlsttmp.*|\..*\.mailwright-(?:redo|sidecar|subscriptions)(?:\..*)?)$/
/** Locks beside mailboxes, and what they are made from. */
const LOCK = /^(.*)\.lock(?:\.\d+\.\d+\..*)?$/

/** Whether a file of this name is never a mailbox, nor anything below it. */
export function isInternal(fileName: string): boolean {
  return INTERNAL.test(fileName)
}
/** The mailbox that a file of this name would lock. */
export function lockedBy(fileName: string): string | undefined {
  return LOCK.exec(fileName)?.[1]
}
/** One component of a mailbox name, from its file; undefined when no client could name it. */
export function fromDisk(fileName: string): string | undefined {
  const decoded = fileName.includes('&') ? decodeMailboxName(Buffer.from(fileName)) : undefined
  const name = decoded === undefined || decoded.problem !== undefined ? fileName : decoded.name
  // Octets that are no UTF-8 are in no name that a client can say.
  return /[\0\r\n\uFFFD]/.test(name) || !isTextName(name) ? undefined : name
}
/** The file of a name below a folder: the one that is there, or else the one to be made. */
export async function toDisk(files: Files, folder: string, path: string): Promise<string> {
  let here = folder
  for (const part of path.split('/')) {
    if (part === '') continue
    const encoded = encodeMailboxName(part)
    const own = encoded !== part && (await files.lstat(below(here, encoded))) === undefined && (await files.lstat(below(here, part))) !== undefined
    here = below(here, own ? part : encoded)
  }
  return here
}
