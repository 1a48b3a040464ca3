import type { Clock, Files, MailboxSettings, Spool, Turns } from 'mailwright/api'
import type { ToldLocks } from '../shared/locks/wait-lines.js'

/** What the format's parts share; one per host. */
export interface MxContext {
  readonly files: Files
  readonly clock: Clock
  readonly random: (octets: number) => Uint8Array
  readonly locks: ToldLocks
  readonly turns: Turns
  readonly spool: Spool
  readonly mailbox: MailboxSettings
}
export const INDEX = '.mxindex'
/** A message on its way: `.mxnew-UID`. */
export const INCOMING = '.mxnew-'
