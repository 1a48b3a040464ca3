import type { MailLocation, MailStore, MailUser, Mount, Sidecar } from '../../api/index.js'
import { lazySidecar, type HostMail } from './context.js'
import { personalMount } from './mounts.js'
import type { LoginStores } from './stores.js'

/** What is noted about mailboxes beside their mail (annotations, rights): in the store where it keeps that itself, in the host's sidecars otherwise. */
export class LoginRecords {
  readonly #user: MailUser
  readonly #host: HostMail
  readonly #mounts: readonly Mount[]
  readonly #stores: LoginStores
  constructor(user: MailUser, host: HostMail, mounts: readonly Mount[], stores: LoginStores) {
    this.#user = user
    this.#host = host
    this.#mounts = mounts
    this.#stores = stores
  }
  of(at: MailLocation): Sidecar {
    return lazySidecar(async () => (await this.#keeper(at.mount)).of(at))
  }
  /** Those of the account itself. */
  ofAccount(): Sidecar {
    return lazySidecar(async () => (await this.#keeper(personalMount(this.#mounts))).account(this.#user))
  }
  async #keeper(mount: Mount | undefined): Promise<NonNullable<MailStore['sidecars']>> {
    const own = mount === undefined ? undefined : (await this.#stores.of(mount)).sidecars
    return own ?? this.#host.sidecars.open(this.#user)
  }
  /** What was done to the mailbox is done; records that could not follow are for the operator. */
  async follow(at: MailLocation, work: (records: NonNullable<MailStore['sidecars']>) => Promise<void> | undefined): Promise<void> {
    try {
      await work(await this.#keeper(at.mount))
    } catch (error) {
      this.#host.logger.warn('mail.records-left', { path: at.path, error })
    }
  }
}
