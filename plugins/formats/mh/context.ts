import type { Clock, Files, MailboxSettings, Spool, Turns } from 'mailwright/api'
import type { Beginnings } from '../shared/beginnings.js'
import type { ToldLocks } from '../shared/locks/wait-lines.js'

/** What the format is made of; one per host. */
export interface MhParts {
  readonly files: Files
  readonly clock: Clock
  readonly locks: ToldLocks
  readonly turns: Turns
  readonly spool: Spool
  readonly mailbox: MailboxSettings
}
/** What its parts share. */
export interface MhContext extends MhParts {
  readonly beginnings: Beginnings
}
export const SEQUENCES = '.mh_sequences'
/** A file of ours in the folder that is no message yet. */
export const INCOMING = '.mailwright-incoming-'
