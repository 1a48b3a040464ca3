import type { Clock, Files, Logger, MailLocation, MailboxSettings, MailUser } from '../../api/index.js'
import { folderOf } from '../cache/directories.js'
import type { SegmentPool } from '../cache/fact-store.js'
import { DiskState } from './disk-state.js'
import type { StateKeeper } from './registry.js'

/** What the state folders of a host are made with. */
export interface StateParts {
  readonly files: Files
  readonly settings: MailboxSettings
  readonly clock: Clock
  readonly logger: Logger
  readonly pool: SegmentPool
}

/** The state folder of a user; undefined when the template asks for a home and there is none. */
export function stateFolder(template: string, user: MailUser): string | undefined {
  if (template.includes('{home}') && user.home === undefined) return undefined
  const name = encodeURIComponent(user.name)
  const folder = template.replaceAll('{home}', user.home ?? '').replaceAll('{user}', name === '.' || name === '..' ? `%2E${name.slice(1)}` : name)
  return folder.startsWith('/') ? folder.replace(/\/+$/, '') : undefined
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
    async open(key, table) {
      try {
        return await DiskState.open({ files, folder: folder(key), key, settings, clock, logger, pool }, table)
      } catch (error) {
        // Without its state a mailbox works, more slowly: changes go to the mailbox at once.
        logger.warn('mail.state-unavailable', { key, folder: folder(key), error })
        return undefined
      }
    },
    async discard(key) {
      try {
        await DiskState.discard(files, folder(key))
      } catch (error) {
        logger.warn('mail.state-not-removed', { key, folder: folder(key), error })
      }
    },
  }
}
