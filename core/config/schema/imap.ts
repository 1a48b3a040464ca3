import { z } from 'zod'
import type { ImapSettings } from '../../api/host.js'
import { duration, filePath } from '../../api/settings.js'

const HALF_AN_HOUR_MS = 1_800_000

const timeouts = z.strictObject({
  prelogin: duration().prefault('3m').describe('Time from the greeting to a login.'),
  // RFC 3501 §5.4: an inactivity timer runs for at least 30 minutes.
  inactivity: duration()
    .refine((ms) => ms >= HALF_AN_HOUR_MS, 'may not be below 30m (RFC 3501 §5.4)')
    .prefault('30m')
    .describe('A logged-in client that says nothing for this long is logged out; 30 minutes at least.'),
  input: duration().prefault('5m').describe('Longest pause inside a command: literals, command tails, answers to challenges.'),
  alert: duration().prefault('1m').describe('Least time between two looks at the alert and shutdown files.'),
  shutdown: duration().prefault('1m').describe('Time between the shutdown warning and the end of the session.'),
  idlePoll: duration().prefault('1m').describe('How often the alert files and the mailbox are looked at during IDLE.'),
  idleCheckpoint: duration().prefault('15m').describe('How often the mailbox is checkpointed during IDLE.'),
})
const alert = z.strictObject({
  systemFile: filePath().prefault('/etc/imapd.alert').describe('Its lines are shown to every client once as alerts; need not exist.'),
  userFile: z.string().min(1).default('.imapalert').describe("The same for one user, resolved like a mailbox name; need not exist."),
})
const limits = z.strictObject({
  maxBadCommands: z.int().nonnegative().default(0).describe('Commands with errors before the connection is closed; 0 is no limit.'),
})

/** `hosts.*.imap`, less the slot `extensions` and the list `without`. */
export const imapSection = z.strictObject({
  greetingVersion: z.enum(['full', 'none']).default('none').describe('Whether the greeting names the version of the server.'),
  timeouts: timeouts.prefault({}).describe('Timers of an IMAP session.'),
  alert: alert.prefault({}).describe('Messages to everybody who is logged in.'),
  shutdownFile: filePath().prefault('/etc/nologin').describe('While this file exists nobody gets in, and sessions are told to leave.'),
  limits: limits.prefault({}).describe('Bounds a site may tighten.'),
})

/** As the daemon is given it; `resolve` makes paths absolute. */
export function imapSettings(s: z.output<typeof imapSection>, resolve: (key: string, path: string) => string): ImapSettings {
  const t = s.timeouts
  return {
    greetingVersion: s.greetingVersion,
    timeouts: {
      preloginMs: t.prelogin,
      inactivityMs: t.inactivity,
      inputMs: t.input,
      alertMs: t.alert,
      shutdownMs: t.shutdown,
      idlePollMs: t.idlePoll,
      idleCheckpointMs: t.idleCheckpoint,
    },
    alert: { systemFile: resolve('alert.systemFile', s.alert.systemFile), userFile: s.alert.userFile },
    shutdownFile: resolve('shutdownFile', s.shutdownFile),
    maxBadCommands: s.limits.maxBadCommands,
  }
}
