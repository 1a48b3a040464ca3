import { definePlugin, namespaceResolvers, type MailUser, type Mount, type NameQuestion, type NamespaceResolver, type Resolution } from 'mailwright/api'
import { z } from 'zod'

type Denied = 'root' | 'other-users' | 'all'

/** Refuses names that lead out of a user's own mailboxes, whoever of the chain knows them. */
export class RestrictBox implements NamespaceResolver {
  readonly #root: boolean
  readonly #others: boolean
  constructor(deny: readonly Denied[]) {
    this.#root = deny.includes('root') || deny.includes('all')
    this.#others = deny.includes('other-users') || deny.includes('all')
  }
  keeps(mount: Mount, _user: MailUser): boolean {
    if (this.#others && mount.class === 'others') return false
    return !this.#root || !isWholeMachine(mount)
  }
  review({ name }: NameQuestion, answer: Resolution): Resolution {
    const path = /^#driver\.[^/\\:]+[/\\:](.*)$/is.exec(name)?.[1] ?? name
    // Anything that could climb out is refused whole, also where it would do no harm.
    if (/\.\.|\/\/|\/~/.test(path)) return denied('the name is not permitted')
    if (this.#others && (answer.kind === 'of-user' || (path.startsWith('~') && !path.startsWith('~/')))) return denied("other users' names are not permitted")
    // The one absolute name left is the user's own INBOX.
    if (!this.#root || answer.kind === 'inbox') return answer
    if (path.startsWith('/') || (answer.kind === 'at' && isWholeMachine(answer.location.mount))) return denied('absolute names are not permitted')
    return answer
  }
}
/** Somebody's home may be the root of the machine; that is then the user's own. */
function isWholeMachine(mount: Mount): boolean {
  return mount.root === '/' && mount.class !== 'personal'
}
function denied(why: string): Resolution {
  return { kind: 'denied', why }
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
    p.to(namespaceResolvers).contribute({
      name: 'restrict-box',
      settings,
      create: ({ deny }, _needs, site) => {
        if (!deny.includes('all') && !deny.includes('root')) site.warn('"other-users" without "root" leaves the homes of others open by their absolute paths')
        return new RestrictBox(deny)
      },
    })
  },
})
