import { MailError, type Clock, type Files, type Logger, type MailboxSettings } from '../../api/index.js'
import { isMissing, makePath, readWhole } from '../cache/directories.js'
import type { SegmentPool } from '../cache/fact-store.js'
import { JournalFile } from '../journal/journal-file.js'
import { decodeRecords, type JournalRecord } from '../journal/records.js'
import { replay, type Replayed } from '../journal/replay.js'

/** What a state is made of. */
export interface DiskParts {
  readonly files: Files
  /** The user's state folder, and the mailbox's own in it. */
  readonly root: string
  readonly folder: string
  readonly key: string
  /** Whose it is, and its name there; for the log. */
  readonly user: string
  readonly mbx: string
  readonly settings: MailboxSettings
  readonly clock: Clock
  readonly logger: Logger
  readonly pool: SegmentPool
}

/** What lay there when a mailbox was opened. */
export interface KeptFiles {
  /** Undefined when another process has it. */
  readonly journal: JournalFile | undefined
  readonly records: readonly JournalRecord[]
  readonly rows: Uint8Array | undefined
}
/** Reads what lies there. Rows and journal at the same time: rows say themselves which state of the mailbox they are about. */
export async function readKept(parts: DiskParts): Promise<KeptFiles> {
  const [opened, rows] = await Promise.allSettled([openJournal(parts), readRows(parts)])
  if (opened.status === 'rejected') throw opened.reason
  return { journal: opened.value?.journal, records: opened.value?.records ?? [], rows: rows.status === 'fulfilled' ? rows.value : undefined }
}
/** Whether changes may have been acknowledged in a journal that cannot be opened. */
export async function mayOwe(parts: DiskParts): Promise<boolean> {
  try {
    return (await readUnlocked(parts))?.pending.isEmpty === false
  } catch {
    return true
  }
}
/** What a journal says that may be another process's, which goes on writing, or that may not be written; undefined when there is none. */
export async function readUnlocked({ files, folder }: DiskParts): Promise<Replayed | undefined> {
  const path = `${folder}/journal`
  const stat = await files.lstat(path)
  if (stat === undefined || stat.size === 0) return undefined
  if (stat.kind !== 'file') throw new MailError('unavailable', `${path} is no file`)
  const octets = await readWhole(files, path)
  return octets && replay(decodeRecords(octets).records)
}
/** The folder is made when it is missing, which is the first time. */
export async function openJournal({ files, root, folder, settings }: DiskParts): ReturnType<typeof JournalFile.open> {
  const durable = settings.durability === 'full'
  const open = (): ReturnType<typeof JournalFile.open> => JournalFile.open(files, `${folder}/journal`, durable)
  try {
    return await open()
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  await makePath(files, folder, durable ? root : undefined)
  return open()
}
async function readRows({ files, folder, key, logger }: DiskParts): Promise<Uint8Array | undefined> {
  try {
    return await readWhole(files, `${folder}/rows`)
  } catch (error) {
    logger.warn('mail.cache-unreadable', { key, error })
    return undefined
  }
}
