import type { MailAccess, MailDoor, MailUser } from '../../api/index.js'
import { FactMaker } from '../cache/fact-maker.js'
import { LoginMail } from './access.js'
import type { HostMail } from './context.js'

/** Opens the mail of a login. Stores are opened when a mailbox of theirs is first named. */
export class HostDoor implements MailDoor, AsyncDisposable {
  readonly #host: HostMail
  readonly #maker: FactMaker
  constructor(host: HostMail) {
    this.#host = host
    this.#maker = new FactMaker(host)
  }
  async open(user: MailUser, signal: AbortSignal): Promise<MailAccess & AsyncDisposable> {
    signal.throwIfAborted()
    for (const resolver of this.#host.resolvers) await resolver.learn?.(user, signal)
    return new LoginMail(user, this.#host, this.#maker)
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#maker[Symbol.asyncDispose]()
  }
}
