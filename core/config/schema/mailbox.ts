import { z } from 'zod'
import type { MailboxSettings } from '../../api/host.js'
import { duration, fileMode } from '../../api/settings.js'

/** `hosts.*.mailbox`. */
export const mailboxSection = z.strictObject({
  fileMode: fileMode().prefault('0600').describe('Permission bits of new mailbox files.'),
  directoryMode: fileMode().prefault('0700').describe('Permission bits of new directories.'),
  stateDirectory: z
    .string()
    .refine((path) => /^(?:\/|\{home\}(?:\/|$))/.test(path) && !path.split('/').includes('..'), 'expected an absolute path or one that begins with {home}')
    .refine((path) => /\{(?:home|user)\}/.test(path), 'it must hold {home} or {user}: each user has a folder')
    .default('{home}/.mailwright')
    .describe('Folder of caches, journals and sidecars, which no mailbox name leads to; {home} and {user} are filled in.'),
  defaultKeywords: z
    .array(z.string().regex(/^[!#$&'+,./0-9:;<=>?@A-Z[^_`a-z|}~-]{1,50}$/, 'expected a keyword: an atom of at most 50 octets'))
    .max(30, 'at most 30 default keywords')
    .default([])
    .describe('Keywords that every mailbox offers from the start.'),
  fromQuoting: z
    .enum(['all', 'header-only'])
    .default('all')
    .describe('Which lines beginning with "From " are quoted in traditional mailboxes: all, or only those that look like a separator.'),
  checkpointDelay: duration()
    .prefault('30s')
    .describe('Flag changes of text formats are folded into the mailbox file after this time without a change, and at CHECK and close.'),
  durability: z
    .enum(['full', 'relaxed'])
    .default('full')
    .describe('full: an acknowledged change is on the disk; relaxed: it is with the operating system and may be lost with the power.'),
  poll: duration().prefault('5s').describe('How often a selected mailbox without change notices is looked at while a client idles.'),
  invalidInbox: z
    .enum(['empty', 'refuse'])
    .default('empty')
    .describe('An INBOX whose file is of no format: empty opens it read-only, without messages and with a warning; refuse does not open it. The file stays as it is.'),
  makeOnArrival: z
    .enum(['asked', 'always', 'never'])
    .default('asked')
    .describe('Whether envelopes and structures are made when messages arrive, in idle time behind the answer: asked where clients asked for them in the last 30 days, in a new mailbox where they did elsewhere in the account, and of what a mail client saves in an account where nobody asked yet; always; or never, so that the first FETCH makes them.'),
})

/** As the drivers are given it. */
export function mailboxSettings(s: z.output<typeof mailboxSection>): MailboxSettings {
  const { checkpointDelay, poll, ...rest } = s
  return { ...rest, checkpointDelayMs: checkpointDelay, pollMs: poll }
}
