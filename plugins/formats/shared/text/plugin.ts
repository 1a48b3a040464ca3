import { CLOCK, chosen, FILE_LANE, FILES, HOST, LOCK_SETTINGS, lockers, LOGGER, MAILBOX_SETTINGS, RANDOM, SPOOL, Turns, type Clock, type FileLane, type Files, type HostFacts, type Locker, type Logger, type LockSettings, type MailboxSettings, type Spool } from 'mailwright/api'
import { z } from 'zod'
import { fileLocks } from '../locks/locks.js'
import { AppendFacts } from './append-facts.js'
import type { TextContext } from './context.js'
import type { TextDialect } from './dialect.js'
import { KeptFiles } from './kept-file.js'
import { RecognisedFiles } from '../recognised.js'

/** Settings of formats whose mailboxes are text. */
export const textSettings = z.strictObject({
  watch: z
    .boolean()
    .default(true)
    .describe('Rely on change notices of the kernel. Switch it off for mailboxes on network file systems, where changes by other machines bring none.'),
})
/** What such a format asks of the host. */
export const textNeeds = { files: FILES, lane: FILE_LANE, clock: CLOCK, random: RANDOM, locks: LOCK_SETTINGS, lockers: chosen(lockers), mailbox: MAILBOX_SETTINGS, host: HOST, spool: SPOOL, logger: LOGGER } as const
/** The same, as it is given. */
export interface TextServices {
  readonly files: Files
  readonly lane: FileLane
  readonly clock: Clock
  readonly random: (octets: number) => Uint8Array
  readonly locks: LockSettings
  readonly lockers?: readonly Locker[]
  readonly mailbox: MailboxSettings
  readonly host: Pick<HostFacts, 'serverName'>
  readonly spool: Spool
  readonly logger: Pick<Logger, 'info' | 'warn'>
}

export function textContext(dialect: TextDialect, { files, lane, clock, random, locks, lockers: others = [], mailbox, host, spool, logger }: TextServices, { watch }: { readonly watch: boolean }): TextContext {
  return {
    dialect, files, lane, clock, turns: new Turns(), spool, mailbox, watch, serverName: host.serverName, facts: new AppendFacts(), kept: new KeptFiles(), recognised: new RecognisedFiles(),
    locks: fileLocks({ files, clock, random, settings: locks, lockers: others, logger, watch }),
  }
}
