import { MailError, type Located, type MailLocation, type MailUser, type MailboxName, type Mount, type Purpose, type Resolution } from '../../api/index.js'
import type { HostMail } from './context.js'
import { guardLocation, mountTable, personalMount, resolveName } from './mounts.js'
import type { LoginRecords } from './records.js'
import { rightsAt } from './rights.js'

/** `~other/` names may lead to another account, which may lead to another; not for ever. */
const MAX_OTHERS = 3
export const INBOX = 'INBOX' as MailboxName

/** Whose mailbox it is, where that is not the login itself. */
const owners = new WeakMap<MailLocation, MailUser>()

/** To which places the names that a login uses lead, and what it may do there. */
export class LoginNames {
  readonly #user: MailUser
  readonly #host: HostMail
  readonly #mounts: readonly Mount[]
  readonly #records: LoginRecords
  constructor(user: MailUser, host: HostMail, mounts: readonly Mount[], records: LoginRecords) {
    this.#user = user
    this.#host = host
    this.#mounts = mounts
    this.#records = records
  }
  /** What the resolvers make of a name, before anybody looks whether there is something. */
  resolve(name: MailboxName, purpose: Purpose): Resolution {
    return resolveName(name, purpose, this.#user, this.#host.resolvers, this.#mounts)
  }
  /** @throws MailError `not-found` or `denied` where the name leads nowhere; that no mailbox is there shows later. */
  locate(name: MailboxName, purpose: Purpose, signal: AbortSignal): Promise<Located> {
    return this.#locateAs(name, purpose, this.#user, this.#mounts, MAX_OTHERS, signal)
  }
  async #locateAs(name: MailboxName, purpose: Purpose, user: MailUser, mounts: readonly Mount[], others: number, signal: AbortSignal): Promise<Located> {
    const answer = resolveName(name, purpose, user, this.#host.resolvers, mounts)
    switch (answer.kind) {
      case 'at':
        return this.weighed(name, guardLocation(answer.location, mounts), user, signal)
      case 'inbox': {
        const mount = personalMount(mounts)
        if (mount === undefined) throw new MailError('not-found', 'this user has no mailboxes')
        const at = { mount, path: 'INBOX', ...(answer.format === undefined ? {} : { format: answer.format }) }
        return this.weighed(user === this.#user ? INBOX : name, at, user, signal)
      }
      case 'of-user': {
        const other = others > 0 ? await this.#account(answer.user, signal) : undefined
        if (other === undefined) throw new MailError('not-found', 'no such mailbox')
        return { ...(await this.#locateAs(answer.name, purpose, other, this.#mountsOf(other), others - 1, signal)), name }
      }
      case 'referral':
        throw new MailError('not-found', `the mailbox is elsewhere: ${answer.url}`)
      case 'denied':
        throw new MailError('denied', answer.why)
      case 'unknown':
        throw new MailError('not-found', 'no such mailbox')
    }
  }
  async #account(name: string, signal: AbortSignal): Promise<MailUser | undefined> {
    for (const directory of this.#host.directories) {
      const found = await directory.find(name, signal)
      if (found === undefined) continue
      for (const resolver of this.#host.resolvers) await resolver.learn?.(found, signal)
      return found
    }
    return undefined
  }
  #mountsOf(user: MailUser): readonly Mount[] {
    return mountTable(user, this.#host.resolvers, this.#host.stores[0]?.name ?? '')
  }
  /** Where another account has its own mailboxes. */
  async homeOf(name: string, signal: AbortSignal): Promise<{ readonly mount: Mount; readonly locatedAt: (as: MailboxName, at: MailLocation) => Promise<Located> } | undefined> {
    const other = await this.#account(name, signal)
    const mount = other && personalMount(this.#mountsOf(other))
    return mount && { mount, locatedAt: (as, at) => this.weighed(as, at, other, signal) }
  }
  /** A place with the rights that the login has there. */
  async weighed(name: MailboxName, at: MailLocation, owner: MailUser, signal: AbortSignal): Promise<Located> {
    if (owner !== this.#user) owners.set(at, owner)
    return { name, at, rights: await rightsAt(at, this.#user, this.#host.policies, this.#records.of(at), signal) }
  }
  ownerOf(at: MailLocation): MailUser {
    return owners.get(at) ?? this.#user
  }
}
