import type { Files } from '../../api/index.js'
import { isMissing } from '../cache/directories.js'
import { JournalFile } from './journal-file.js'

/** What is kept of a mailbox that is about to be deleted: no other process uses it meanwhile. */
export interface ClaimedState {
  /** The mailbox is gone. */
  discard(): Promise<void>
  /** It is still there. */
  release(): Promise<void>
}

/** Claims what is kept in this folder; undefined when there is nothing, or another process has it. */
export async function claimState(files: Files, folder: string): Promise<ClaimedState | undefined> {
  if ((await files.stat(folder)) === undefined) return undefined
  const journal = (await JournalFile.open(files, `${folder}/journal`, false))?.journal
  return journal && { discard: () => discardState(files, folder, journal), release: () => journal.close() }
}
/** Removes everything in the folder, the journal last: until it has gone its lock keeps others from what has this place next. It is closed. */
export async function discardState(files: Files, folder: string, journal: JournalFile): Promise<void> {
  try {
    for (const { name } of await files.list(folder)) if (name !== 'journal') await files.unlink(`${folder}/${name}`)
  } finally {
    await journal.remove()
  }
  await files.removeDirectory(folder).catch((error: unknown) => {
    // Somebody has begun with another mailbox of the same key.
    if (!isInUse(error)) throw error
  })
}
function isInUse(error: unknown): boolean {
  return isMissing(error) || (error instanceof Error && 'code' in error && (error.code === 'ENOTEMPTY' || error.code === 'EEXIST'))
}
