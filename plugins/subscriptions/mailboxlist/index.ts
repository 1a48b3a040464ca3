import { CLOCK, definePlugin, FILES, MAILBOX_SETTINGS, MailError, subscriptions, type MailUser } from 'mailwright/api'
import { z } from 'zod'
import { MailboxList } from './mailbox-list.js'

const settings = z.strictObject({
  path: z.string().min(1).refine((path) => /\{(?:home|user)\}/.test(path), 'it must hold {home} or {user}: each user has a list').default('{home}/.mailboxlist').describe('File of the subscribed names, one per line; {home} and {user} are filled in.'),
})

export default definePlugin({
  id: 'subscriptions-mailboxlist',
  api: '1.0',
  summary: 'Subscribed names in the file .mailboxlist of the home directory',
  setup(p) {
    p.to(subscriptions).contribute({
      name: 'mailboxlist',
      settings,
      needs: { files: FILES, clock: CLOCK, mailbox: MAILBOX_SETTINGS },
      create({ path }, needs, site) {
        const template = path.startsWith('{') ? path : site.resolve(path)
        return new MailboxList({ ...needs, path: (user) => pathOf(template, user) })
      },
    })
  },
})

function pathOf(template: string, user: MailUser): string {
  if (template.includes('{user}') && (user.name === '' || user.name.startsWith('.') || /[/\0]/.test(user.name))) throw new MailError('denied', 'the user name cannot be part of a path')
  const values: Readonly<Record<string, string>> = { '{home}': user.home ?? '', '{user}': user.name }
  const path = template.replaceAll(/\{(?:home|user)\}/g, (word) => values[word] ?? '')
  if (!path.startsWith('/') || (user.home === undefined && template.includes('{home}'))) throw new MailError('unavailable', 'the user has no home directory for subscriptions')
  return path
}
