import type { MailboxName, MailUser, Mount, NamespaceResolver, Purpose, Resolution } from 'mailwright/api'

export interface Restriction {
  readonly root: boolean
  readonly others: boolean
  readonly store: string
}

/** Refuses names; what it lets pass is the business of those behind it in the chain. */
export class RestrictBox implements NamespaceResolver {
  readonly #r: Restriction
  readonly #closed: readonly Mount[]
  constructor(r: Restriction) {
    this.#r = r
    // Rows without files stand before those of the same prefixes, so that LIST finds nothing there.
    const row = (prefix: string, of: Mount['class']): Mount => ({ prefix, class: of, store: r.store, root: '', advertised: false, listed: false })
    this.#closed = [...(r.root ? [row('/', 'shared')] : []), ...(r.others ? [row('~', 'others')] : [])]
  }
  mounts(): readonly Mount[] {
    return this.#closed
  }
  resolve(ask: { readonly name: MailboxName; readonly purpose: Purpose; readonly user: MailUser }, next: (name: MailboxName) => Resolution): Resolution {
    const { name, user } = ask
    if (name.includes('..') || name.includes('//') || name.includes('/~') || name.includes('\0')) return denied('invalid name')
    const answer = next(name)
    // The own INBOX has an absolute name too.
    if (answer.kind === 'inbox') return answer
    if (this.#r.root && name.startsWith('/')) return denied('absolute names are not allowed')
    if (this.#r.others && name.startsWith('~') && !name.startsWith('~/')) return denied('names of other users are not allowed')
    if (answer.kind === 'of-user') return this.#r.others ? denied('names of other users are not allowed') : answer
    // A home that is the root of the file system holds everything.
    if (this.#r.root && answer.kind === 'at' && (answer.location.mount.root === '/' || user.home === '/')) return denied('absolute names are not allowed')
    return answer
  }
}
function denied(why: string): Resolution {
  return { kind: 'denied', why }
}
