import { CLOCK, definePlugin, FILES, MailError, subscriptions } from 'mailwright/api'
import { z } from 'zod'
import { MailboxList } from './subscriptions.js'

const settings = z.strictObject({
  path: z.string().min(1).default('{home}/.mailboxlist').describe('File of the subscribed names, one per line; {home} and {user} are filled in.'),
})

export default definePlugin({
  id: 'subscriptions-mailboxlist',
  api: '1.0',
  summary: 'Subscribed names in the file .mailboxlist of the home directory',
  setup(p) {
    p.to(subscriptions).contribute({
      name: 'mailboxlist',
      settings,
      needs: { files: FILES, clock: CLOCK },
      create({ path }, { files, clock }, site) {
        const template = path.startsWith('{') ? path : site.resolve(path)
        return new MailboxList(files, clock, (user) => {
          if (template.includes('{user}') && (user.name.startsWith('.') || /[/\0]/.test(user.name))) throw new MailError('denied', 'the user name cannot be part of a path')
          const filled = template.replaceAll('{home}', user.home ?? '').replaceAll('{user}', user.name)
          if (user.home === undefined && template.includes('{home}')) throw new MailError('unavailable', 'the user has no home directory for subscriptions')
          return filled
        })
      },
    })
  },
})
