import { CLOCK, chosen, FILE_LANE, FILES, LOCK_SETTINGS, lockers, LOGGER, MAILBOX_SETTINGS, RANDOM, SPOOL, Turns, type Clock, type FileLane, type Files, type Locker, type Logger, type LockSettings, type MailboxSettings, type Spool } from 'mailwright/api'
import { z } from 'zod'
import { fileLocks } from '../locks/locks.js'
import { RecognisedFiles } from '../recognised.js'
import type { FixedContext } from './context.js'

/** Settings of formats whose records have fixed forms. */
export const fixedSettings = z.strictObject({
  watch: z
    .boolean()
    .default(true)
    .describe('Rely on change notices of the kernel. Switch it off for mailboxes on network file systems, where changes by other machines bring none.'),
})
/** What such a format asks of the host. */
export const fixedNeeds = { files: FILES, lane: FILE_LANE, clock: CLOCK, random: RANDOM, locks: LOCK_SETTINGS, lockers: chosen(lockers), mailbox: MAILBOX_SETTINGS, spool: SPOOL, logger: LOGGER } as const
/** The same, as it is given. */
export interface FixedServices {
  readonly files: Files
  readonly lane?: FileLane
  readonly clock: Clock
  readonly random: (octets: number) => Uint8Array
  readonly locks: LockSettings
  readonly lockers?: readonly Locker[]
  readonly mailbox: MailboxSettings
  readonly spool: Spool
  readonly logger: Pick<Logger, 'info' | 'warn'>
}

export function fixedContext({ files, lane, clock, random, locks, lockers: others = [], mailbox, spool, logger }: FixedServices, { watch }: { readonly watch: boolean }): FixedContext {
  return {
    files, clock, locks: fileLocks({ files, clock, random, settings: locks, lockers: others, logger, watch }), turns: new Turns(), spool, mailbox, watch, holders: new Map(), recognised: new RecognisedFiles(),
    ...(lane && { lane }),
  }
}
