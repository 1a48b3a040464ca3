import type { MailUser, UserDirectory } from 'mailwright/api'
import type { NameService } from '../../shared/system-accounts.js'
import { withinTime } from '../../shared/time-limit.js'

/** What its entry in the configuration says. */
export interface SystemUsersSettings {
  readonly timeoutMs: number
  /** Accounts below are those of services. */
  readonly minUid: number
}

/** Accounts of the operating system, with the ids under which their mail is touched. */
export class SystemUsers implements UserDirectory {
  readonly #names: NameService
  readonly #settings: SystemUsersSettings
  constructor(names: NameService, settings: SystemUsersSettings) {
    this.#names = names
    this.#settings = settings
  }

  async find(user: string, signal: AbortSignal): Promise<MailUser | undefined> {
    return await withinTime('system accounts', this.#settings.timeoutMs, signal, async () => {
      const account = await this.#names.account(user)
      // Also uid 0 is found: that it may not log in, core says, with the reason in the log.
      if (account === undefined || (account.uid !== 0 && account.uid < this.#settings.minUid)) return undefined
      const groups = await this.#names.groupIds(account.name, account.gid)
      return {
        name: account.name,
        kind: 'account',
        ids: { uid: account.uid, gid: account.gid, groups },
        ...(account.home.startsWith('/') ? { home: account.home } : {}),
        facts: { gecos: account.gecos, shell: account.shell },
      }
    })
  }
}
