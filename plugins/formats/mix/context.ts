import type { Clock, Files, MailboxSettings, Spool, Turns } from 'mailwright/api'
import type { ToldLocks } from '../shared/locks/wait-lines.js'
import type { MetaFiles } from './meta-files.js'

/** What the format is made of; one per host. */
export interface MixParts {
  readonly files: Files
  readonly clock: Clock
  readonly locks: ToldLocks
  readonly turns: Turns
  readonly spool: Spool
  readonly mailbox: MailboxSettings
}
/** What its parts share. */
export interface MixContext extends MixParts {
  readonly metaFiles: MetaFiles
}
