import { failedWith } from 'mailwright/api'
import type { Files, FilePlace, MailboxFormat } from 'mailwright/api'
import { OctetFinder } from 'mailwright/toolkit'
import { below } from './paths.js'

const WINDOW = 1 << 16

/** Whether a file has the octets somewhere. That it was read does not make its mail read. */
export async function fileHolds(files: Files, path: string, octets: Uint8Array, signal: AbortSignal): Promise<boolean> {
  const file = await files.open(path, { keepAccessTime: true })
  try {
    const finder = new OctetFinder(octets)
    const window = new Uint8Array(WINDOW)
    for (let at = 0; ; ) {
      signal.throwIfAborted()
      const got = await file.read(window, at)
      if (finder.feed(window.subarray(0, got))) return true
      if (got < WINDOW) return false
      at += got
    }
  } finally {
    await file.close()
  }
}

/** The same of a mailbox that is a folder: in the files that are parts of it. A folder that no format claims is no mailbox. */
export async function folderHolds(files: Files, formats: readonly MailboxFormat[], { path }: FilePlace, octets: Uint8Array, signal: AbortSignal): Promise<boolean> {
  const entries = await files.list(path)
  const names = entries.map((e) => e.name)
  const mailbox = formats.find((f) => f.claims?.({ path, names }) === 'mailbox')
  if (mailbox === undefined) return false
  for (const { name, kind } of entries) {
    if (kind === 'file' && (mailbox.owns?.(name) ?? true) && (await heldOrGone(files, below(path, name), octets, signal))) return true
  }
  return false
}
/** Messages of such mailboxes are moved and removed while others look. */
async function heldOrGone(files: Files, path: string, octets: Uint8Array, signal: AbortSignal): Promise<boolean> {
  try {
    return await fileHolds(files, path, octets, signal)
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return false
    throw error
  }
}
