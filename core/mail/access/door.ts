import type { MailAccess, MailDoor, MailUser } from '../../api/index.js'
import { LoginMail } from './access.js'
import type { HostMail } from './context.js'

/** Opens the mail of a login. Stores are opened when a mailbox of theirs is first named. */
export class HostDoor implements MailDoor {
  readonly #host: HostMail
  constructor(host: HostMail) {
    this.#host = host
  }
  async open(user: MailUser, signal: AbortSignal): Promise<MailAccess & AsyncDisposable> {
    signal.throwIfAborted()
    for (const resolver of this.#host.resolvers) await resolver.learn?.(user, signal)
    return new LoginMail(user, this.#host)
  }
}
