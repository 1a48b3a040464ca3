import { z } from 'zod'
import type { Pop3Settings } from '../../api/host.js'
import { duration } from '../../api/settings.js'

const TEN_MINUTES_MS = 600_000

const timeouts = z.strictObject({
  prelogin: duration().prefault('3m').describe('Time from the greeting to a login.'),
  // RFC 1939 §3: an inactivity timer runs for at least 10 minutes.
  inactivity: duration()
    .refine((ms) => ms >= TEN_MINUTES_MS, 'may not be below 10m (RFC 1939 §3)')
    .prefault('10m')
    .describe('A logged-in client that says nothing for this long is logged out, and nothing is deleted; 10 minutes at least.'),
  giveWay: duration().prefault('5m').describe('A session that has waited for its client for longer than this gives its maildrop up to a new session.'),
})

/** `hosts.*.pop3`, less the slot `extensions` and the list `without`. */
export const pop3Section = z.strictObject({
  greetingVersion: z.enum(['full', 'none']).default('none').describe('Whether the greeting and IMPLEMENTATION name the version of the server.'),
  timeouts: timeouts.prefault({}).describe('Timers of a POP3 session.'),
  statusHeader: z.boolean().default(true).describe('Send messages with a "Status:" line of 12 octets at the end of their header, which tells what was read before.'),
  expungeFlagged: z.boolean().default(false).describe('QUIT after a deletion also removes messages that were flagged as deleted over IMAP.'),
  loginDelay: duration().prefault('3m').describe('Time that clients are asked to leave between two logins (LOGIN-DELAY); 0 asks for nothing.'),
  enforceLoginDelay: z.boolean().default(false).describe('Refuse logins that come before "loginDelay" has passed.'),
  expire: z
    .union([z.enum(['never', 'unannounced']), z.int().nonnegative()])
    .default('never')
    .describe('Days that this site keeps mail, if something beside this server removes it (EXPIRE): a number, never, or unannounced.'),
  externalForOwner: z.boolean().default(true).describe('An ordinary account that starts "mailwright pop3d" may log in as itself by EXTERNAL.'),
})

/** As the daemon is given it. */
export function pop3Settings(s: z.output<typeof pop3Section>): Pop3Settings {
  return {
    greetingVersion: s.greetingVersion,
    timeouts: { preloginMs: s.timeouts.prelogin, inactivityMs: s.timeouts.inactivity, giveWayMs: s.timeouts.giveWay },
    statusHeader: s.statusHeader,
    expungeFlagged: s.expungeFlagged,
    loginDelayMs: s.loginDelay,
    enforceLoginDelay: s.enforceLoginDelay,
    expire: s.expire === 'unannounced' ? undefined : s.expire,
    externalForOwner: s.externalForOwner,
  }
}
