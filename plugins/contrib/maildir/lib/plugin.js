import { CLOCK, definePlugin, FILE_LANE, FILES, HOST, LOGGER, MAILBOX_SETTINGS, mailDrivers, RANDOM, SPOOL, subscriptions } from 'mailwright/api'
import { hostname } from 'node:os'
import { z } from 'zod'
import { MaildirDriver } from './store.js'
import { MaildirSubscriptions } from './subscriptions.js'

/** What is known of it before it is made. */
export const about = Object.freeze({
  modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: true,
})

/** Of the store and of the subscriptions, which must say the same. */
const settings = z.strictObject({
  path: z
    .string()
    .regex(/^(?:[^/\0]+(?:\/[^/\0]+)*)?$/, 'expected a path below the root of the namespace')
    .default('Maildir')
    .describe("A user's Maildir below the root of the namespace; empty: that itself."),
  delimiter: z.enum(['/', '.']).default('/').describe('Between the parts of mailbox names. On the disk it is always a dot.'),
})

/** Maildir++ as a kind of storage of its own: its names are not paths, so it is no format of the store `files`. */
export default definePlugin({
  id: 'contrib-maildir',
  api: '1.0',
  summary: 'Maildir++, with the UID lists and keywords of Dovecot',
  setup(p) {
    p.to(mailDrivers).contribute({
      name: 'maildir',
      about,
      settings,
      needs: { files: FILES, lane: FILE_LANE, clock: CLOCK, random: RANDOM, spool: SPOOL, mailbox: MAILBOX_SETTINGS, host: HOST, logger: LOGGER },
      create: (chosen, needs) => new MaildirDriver({ ...needs, ...chosen, machine: { host: hostname(), pid: process.pid } }),
    })
    p.to(subscriptions).contribute({
      name: 'maildir',
      settings,
      needs: { files: FILES, clock: CLOCK, mailbox: MAILBOX_SETTINGS },
      create: (chosen, needs) => new MaildirSubscriptions({ ...needs, ...chosen }),
    })
  },
})
