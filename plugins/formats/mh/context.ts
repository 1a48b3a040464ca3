import type { Clock, Files, MailboxSettings, Spool, Turns } from 'mailwright/api'
import type { ToldLocks } from '../shared/locks/wait-lines.js'

/** What the format's parts share; one per host. */
export interface MhContext {
  readonly files: Files
  readonly clock: Clock
  readonly locks: ToldLocks
  readonly turns: Turns
  readonly spool: Spool
  readonly mailbox: MailboxSettings
}
export const SEQUENCES = '.mh_sequences'
/** A file of ours in the folder that is no message yet. */
export const INCOMING = '.mailwright-incoming-'
