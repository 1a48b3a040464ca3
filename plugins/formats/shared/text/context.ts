import type { Clock, FileLane, Files, MailboxSettings, Spool, Turns } from 'mailwright/api'
import type { FileLocks } from '../locks/locks.js'
import type { AppendFacts } from './append-facts.js'
import type { TextDialect } from './dialect.js'
import type { KeptFiles } from './kept-file.js'
import type { RecognisedFiles } from '../recognised.js'

/** What the format's parts share; one per host. */
export interface TextContext {
  readonly dialect: TextDialect
  readonly files: Files
  readonly clock: Clock
  readonly locks: FileLocks
  readonly turns: Turns
  readonly spool: Spool
  readonly mailbox: MailboxSettings
  /** Name of the server in the mailbox's own record and in From lines. */
  readonly serverName: string
  /** Change notices of the kernel; off for network file systems, which do not tell what others do. */
  readonly watch: boolean
  readonly facts: AppendFacts
  readonly kept: KeptFiles
  readonly recognised: RecognisedFiles
  /** Where work of many calls is done. */
  readonly lane: FileLane
}
