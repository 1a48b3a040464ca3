import { definePlugin, namespaceResolvers, type MailboxName, type MailUser, type NamespaceResolver, type Purpose, type Resolution } from 'mailwright/api'
import { z } from 'zod'

type Denied = 'root' | 'other-users' | 'all'

/** Refuses names that lead out of a user's own mailboxes, before other resolvers see them. */
export class RestrictBox implements NamespaceResolver {
  readonly #root: boolean
  readonly #others: boolean
  constructor(deny: readonly Denied[]) {
    this.#root = deny.includes('root') || deny.includes('all')
    this.#others = deny.includes('other-users') || deny.includes('all')
  }
  resolve(ask: { readonly name: MailboxName; readonly purpose: Purpose; readonly user: MailUser }, next: (name: MailboxName) => Resolution): Resolution {
    const { name } = ask
    const path = /^#driver\.[^/\\:]+[/\\:](.*)$/is.exec(name)?.[1] ?? name
    // Anything that could climb out is refused whole, also where it would do no harm.
    if (/\.\.|\/\/|\/~/.test(path)) return { kind: 'denied', why: 'the name is not permitted' }
    if (this.#others && path.startsWith('~') && !path.startsWith('~/')) return { kind: 'denied', why: "other users' names are not permitted" }
    if (!this.#root || !path.startsWith('/')) return next(name)
    // The one absolute name left is the user's own INBOX; only the chain knows it.
    const found = next(name)
    return found.kind === 'inbox' ? found : { kind: 'denied', why: 'absolute names are not permitted' }
  }
}

const settings = z.strictObject({
  deny: z
    .array(z.enum(['root', 'other-users', 'all']))
    .min(1)
    .default(['all'])
    .describe('What is refused besides "..", "//" and "/~": absolute names, names of other users, or both.'),
})

export default definePlugin({
  id: 'namespace-restrict-box',
  api: '1.0',
  summary: "Refuses absolute names, other users' names and names that climb out of the mail directory",
  setup(p) {
    p.to(namespaceResolvers).contribute({ name: 'restrict-box', settings, create: ({ deny }) => new RestrictBox(deny) })
  },
})
