import type { Clock, FileLane, Files, MailboxSettings, Spool, Turns } from 'mailwright/api'
import type { FileLocks } from '../locks/locks.js'
import type { RecognisedFiles } from '../recognised.js'

/** Somebody who holds a mailbox file open, and can give it up. */
export interface Holding {
  release(): void
}

/** What the parts of such a format share; one per host. */
export interface FixedContext {
  readonly files: Files
  readonly clock: Clock
  readonly locks: FileLocks
  readonly turns: Turns
  readonly spool: Spool
  readonly mailbox: MailboxSettings
  /** Change notices of the kernel; off for network file systems, which do not tell what others do. */
  readonly watch: boolean
  readonly recognised: RecognisedFiles
  /** Files that this process holds open, by device and inode. */
  readonly holders: Map<string, Set<Holding>>
  /** Changes of flags on so many pages go to a log before the mailbox; default 16. */
  readonly aheadFrom?: number
  /** Where work of many calls is done; where there is none, it is done in place. */
  readonly lane?: FileLane
}
