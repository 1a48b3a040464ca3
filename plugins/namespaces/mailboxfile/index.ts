import { definePlugin, filePath, MAILBOX_SETTINGS, namespaceResolvers } from 'mailwright/api'
import { z } from 'zod'
import { MailboxfileResolver } from './resolver.js'
import { TEMPLATE_WORDS, unknownWords } from './templates.js'

const settings = z.strictObject({
  store: z.string().min(1).default('files').describe('Store in which the names are, one of drivers.stores.'),
  subdirectory: z
    .string()
    .min(1)
    .refine((path) => !path.startsWith('/') && !path.endsWith('/') && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..'), 'expected a path below the home, such as "mail"')
    .refine((path) => !path.includes('\0'), 'a path holds no NUL')
    .optional()
    .describe('Mailboxes are in this directory below the home instead of in the home itself; it is made with the first mailbox.'),
  inboxPath: filePath()
    .refine((path) => unknownWords(path).length === 0, `only ${TEMPLATE_WORDS.map((w) => `{${w}}`).join(', ')} may stand in it`)
    .refine((path) => /\{(?:home|user|local)\}/.test(path), 'it must hold {home}, {user} or {local}: all users would share one INBOX')
    .optional()
    .describe('File of the INBOX: {home}, {spool}, {user}, {local} and {domain} are filled in. Without it {spool}/{user} for system accounts and {home}/INBOX for others.'),
  spoolDirectory: filePath().default('/var/mail').describe('{spool}: where the system delivers mail.'),
  confine: z
    .boolean()
    .optional()
    .describe('Whether names lead nowhere outside the mailbox directory: no absolute paths, no other users. Without it, that is so for all who are no system accounts, whom file permissions do not restrain. Anonymous users are always confined.'),
})

/** The names of a traditional mail system. */
export default definePlugin({
  id: 'namespace-mailboxfile',
  api: '1.0',
  summary: 'Mailbox names as files: below the home, ~user/x and /x',
  setup(p) {
    p.to(namespaceResolvers).contribute({
      name: 'mailboxfile',
      settings,
      needs: { mailbox: MAILBOX_SETTINGS },
      create: ({ store, subdirectory, inboxPath, spoolDirectory, confine }, { mailbox }, site) =>
        new MailboxfileResolver({
          store,
          subdirectory,
          inboxPath: inboxPath === undefined || /^(?:\/|\{home\}|\{spool\})/.test(inboxPath) ? inboxPath : site.resolve(inboxPath),
          spoolDirectory: site.resolve(spoolDirectory),
          confine,
          stateDirectory: mailbox.stateDirectory,
        }),
    })
  },
})
