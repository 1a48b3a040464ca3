import { stateFolder } from '../../api/index.js'
import type { Clock, Files, Logger, MailLocation, MailboxSettings, MailUser } from '../../api/index.js'
import { folderOf, makePath } from '../cache/directories.js'
import type { SegmentPool } from '../cache/fact-store.js'
import { claimState } from '../journal/discarding.js'
import { DiskState } from './disk-state.js'
import { mayOwe, readKept, type KeptFiles } from './kept.js'
import type { StateKeeper } from './registry.js'

/** What the state folders of a host are made with. */
export interface StateParts {
  readonly files: Files
  readonly settings: MailboxSettings
  readonly clock: Clock
  readonly logger: Logger
  readonly pool: SegmentPool
}

/**
 * State of the mailboxes of one place's owner. Mailboxes that are not personal may be opened by several users, whose folders would
 * contradict each other: they have none.
 */
export function stateKeeper(parts: StateParts, at: MailLocation, owner: MailUser): StateKeeper | undefined {
  if (at.mount.class !== 'personal') return undefined
  const home = stateFolder(parts.settings.stateDirectory, owner)
  if (home === undefined) return undefined
  const { files, settings, clock, logger, pool } = parts
  const folder = (key: string): string => `${home}/mailboxes/${folderOf(key)}`
  return {
    async read(key) {
      const disk = { files, root: home, folder: folder(key), key, user: owner.name, mbx: at.path, settings, clock, logger, pool }
      let kept: KeptFiles
      try {
        kept = await readKept(disk)
      } catch (error) {
        logger.warn('mail.state-unavailable', { key, folder: disk.folder, error })
        // Where nothing is kept a mailbox works, more slowly: changes go to the mailbox at once.
        if (!(await mayOwe(disk))) return undefined
        kept = { journal: undefined, records: [], rows: undefined }
      }
      return {
        journalled: kept.journal !== undefined,
        fill: (table) => new DiskState(disk, table, kept),
        close: async () => kept.journal?.close(),
      }
    },
    async alone(name) {
      const locks = `${home}/locks`
      try {
        await makePath(files, locks, settings.durability === 'full' ? home : undefined)
        // The lock is on the file, and goes with the process; the file stays.
        const file = await files.open(`${locks}/${folderOf(name)}`, { write: true, create: 'if-missing', noFollow: true })
        if (file.lock('flock', 'exclusive') !== 'busy') return { [Symbol.asyncDispose]: () => file.close() }
        await file.close()
        return undefined
      } catch (error) {
        // Where no lock can be had, other processes are none of ours, or take their chance.
        logger.debug('mail.lock-unavailable', { name, error })
        return { [Symbol.asyncDispose]: () => Promise.resolve() }
      }
    },
    async claim(key) {
      try {
        return await claimState(files, folder(key))
      } catch (error) {
        logger.warn('mail.state-not-removed', { key, folder: folder(key), error })
        return undefined
      }
    },
  }
}
