import { MailError } from '../../api/index.js'
import type { MailStore, MailUser, Mount } from '../../api/index.js'
import { asMailFailure } from '../failures.js'
import type { HostMail } from './context.js'

/** The stores of one login, opened when a mount of theirs is first used, inside the host's layers. */
export class LoginStores {
  readonly #user: MailUser
  readonly #host: HostMail
  readonly #open = new Map<string, Promise<MailStore>>()
  constructor(user: MailUser, host: HostMail) {
    this.#user = user
    this.#host = host
  }
  /** Opening is not cancelled with the command that was first: others wait for the same store. */
  of(mount: Mount): Promise<MailStore> {
    let store = this.#open.get(mount.store)
    if (store === undefined) {
      store = this.#make(mount.store)
      this.#open.set(mount.store, store)
      // A store that could not be opened is tried again the next time.
      store.catch(() => this.#open.delete(mount.store))
    }
    return store
  }
  async #make(name: string): Promise<MailStore> {
    const entry = this.#host.stores.find((s) => s.name === name)
    if (entry === undefined) throw new MailError('unsupported', `this host has no store "${name}"`)
    try {
      let store = await entry.made.openStore(this.#user, new AbortController().signal)
      for (const layer of this.#host.layers.toReversed()) store = await layer.wrap(store, this.#user)
      return store
    } catch (error) {
      throw asMailFailure(error)
    }
  }
  async close(): Promise<void> {
    const opened = [...this.#open.values()]
    this.#open.clear()
    for (const store of opened) {
      const made = await store.catch(() => undefined)
      await made?.close()
    }
  }
}
