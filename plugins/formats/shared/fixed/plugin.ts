import { CLOCK, FILES, LOCK_SETTINGS, MAILBOX_SETTINGS, RANDOM, SPOOL, type Clock, type Files, type LockSettings, type MailboxSettings, type Spool } from 'mailwright/api'
import { hostname } from 'node:os'
import { z } from 'zod'
import { Turns } from '../turns.js'
import type { FixedContext } from './context.js'

/** Settings of formats whose records have fixed forms. */
export const fixedSettings = z.strictObject({
  watch: z
    .boolean()
    .default(true)
    .describe('Rely on change notices of the kernel. Switch it off for mailboxes on network file systems, where changes by other machines bring none.'),
})
/** What such a format asks of the host. */
export const fixedNeeds = { files: FILES, clock: CLOCK, random: RANDOM, locks: LOCK_SETTINGS, mailbox: MAILBOX_SETTINGS, spool: SPOOL } as const
/** The same, as it is given. */
export interface FixedServices {
  readonly files: Files
  readonly clock: Clock
  readonly random: (octets: number) => Uint8Array
  readonly locks: LockSettings
  readonly mailbox: MailboxSettings
  readonly spool: Spool
}

export function fixedContext({ files, clock, random, locks, mailbox, spool }: FixedServices, { watch }: { readonly watch: boolean }): FixedContext {
  return { files, clock, locks: { files, clock, random, settings: locks, machine: { host: hostname(), pid: process.pid } }, turns: new Turns(), spool, mailbox, watch, holders: new Map() }
}
