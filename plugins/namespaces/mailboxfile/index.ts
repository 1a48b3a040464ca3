import { definePlugin, filePath, MAILBOX_SETTINGS, namespaceResolvers } from 'mailwright/api'
import { z } from 'zod'
import { MailboxFileNames } from './resolver.js'

const settings = z.strictObject({
  store: z.string().min(1).default('files').describe('Store that the names lead to; one of "drivers.stores".'),
  home: z.string().min(1).default('{home}').describe('Directory of a user; {home} is that of the account, {user} the name.'),
  subdirectory: z.string().min(1).optional().describe('Directory of mailboxes below the home directory; without it the home directory itself.'),
  inboxPath: z
    .string()
    .min(1)
    .refine((path) => /\{(?:home|user)\}/.test(path), 'it must hold {home} or {user}: otherwise all users have one INBOX')
    .optional()
    .describe('File of the INBOX; {home}, {user} and {spool} are filled in. Without it: {spool}/{user} for users of the system, {home}/INBOX for accounts that exist only here.'),
  spool: filePath().default('/var/mail').describe('Directory to which mail is delivered.'),
  shared: filePath().optional().describe('Root of #shared/; without it there is no such namespace.'),
  public: filePath().optional().describe('Root of #public/; without it there is no such namespace.'),
  ftp: filePath().optional().describe('Root of #ftp/; without it there is no such namespace.'),
  outside: z
    .enum(['accounts', 'never'])
    .default('accounts')
    .describe('Who may use names that leave the home directory ("/path", "~user/box", ".."): users of the system in a process of their own, or nobody.'),
  advertiseRoot: z.boolean().default(false).describe('Tell clients that "/" is a namespace.'),
})

/** The original's mailbox names. */
export default definePlugin({
  id: 'namespace-mailboxfile',
  api: '1.0',
  summary: 'Mailbox names as files below the home directory, with INBOX, "~user/", "/path", #shared/, #public/ and #ftp/',
  setup(p) {
    p.to(namespaceResolvers).contribute({
      name: 'mailboxfile',
      settings,
      needs: { mailbox: MAILBOX_SETTINGS },
      create({ shared, public: common, ftp, spool, subdirectory, home, inboxPath, ...rest }, { mailbox }, site) {
        const absolute = (path: string | undefined): string | undefined => (path === undefined ? undefined : site.resolve(path))
        // A template that begins with a placeholder is absolute once it is filled in.
        const template = (path: string): string => (path.startsWith('{') ? path : site.resolve(path))
        return new MailboxFileNames({
          ...rest,
          subdirectory,
          home: template(home),
          inboxPath: inboxPath === undefined ? undefined : template(inboxPath),
          spool: site.resolve(spool),
          shared: absolute(shared),
          public: absolute(common),
          ftp: absolute(ftp),
          stateDirectory: mailbox.stateDirectory,
          processUser: process.getuid?.(),
        })
      },
    })
  },
})
