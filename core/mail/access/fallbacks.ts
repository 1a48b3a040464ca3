import type { MailboxName, MailLocation, MailUser, Sidecar, SidecarBackend, Sidecars, SubscriptionStore } from '../../api/index.js'

/** Subscriptions of a host that has no place for them: as long as the process. */
export class VolatileSubscriptions implements SubscriptionStore {
  readonly #names = new Map<string, Set<MailboxName>>()
  list(user: MailUser): Promise<readonly MailboxName[]> {
    return Promise.resolve([...(this.#names.get(user.name) ?? [])])
  }
  set(user: MailUser, name: MailboxName, on: boolean): Promise<void> {
    let names = this.#names.get(user.name)
    if (names === undefined) this.#names.set(user.name, (names = new Set()))
    if (on) names.add(name)
    else names.delete(name)
    return Promise.resolve()
  }
}
/** Sidecars of a host that has no place for them: as long as the process. */
export class VolatileSidecars implements SidecarBackend {
  readonly #records = new Map<string, Map<string, Uint8Array>>()
  open(_user: MailUser): Promise<Sidecars> {
    return Promise.resolve({
      of: (at) => this.#sidecar(idOf(at)),
      account: (user) => this.#sidecar(`of ${user.name}`),
      renamed: (from, to) => {
        this.#forget(idOf(to))
        const [old, now] = [idOf(from), idOf(to)]
        for (const [id, records] of [...this.#records].filter(([key]) => key.startsWith(`${old}\0`) || key.startsWith(`${old}/`))) {
          this.#records.delete(id)
          this.#records.set(now + id.slice(old.length), records)
        }
        return Promise.resolve()
      },
      removed: (at) => Promise.resolve(this.#forget(idOf(at))),
    })
  }
  #forget(of: string): void {
    for (const id of this.#records.keys()) if (id.startsWith(`${of}\0`)) this.#records.delete(id)
  }
  #sidecar(of: string): Sidecar {
    const records = (kind: string): Map<string, Uint8Array> => {
      const id = `${of}\0${kind}`
      let own = this.#records.get(id)
      if (own === undefined) this.#records.set(id, (own = new Map()))
      return own
    }
    return {
      get: (r, key) => {
        const bytes = records(r.id).get(key)
        return Promise.resolve(bytes === undefined ? undefined : r.codec.decode(bytes))
      },
      put: (r, key, value) => {
        if (value === undefined) records(r.id).delete(key)
        else records(r.id).set(key, r.codec.encode(value))
        return Promise.resolve()
      },
      async *each(r) {
        const all = [...records(r.id)].map(([key, bytes]) => [key, r.codec.decode(bytes)] as const)
        if (all.length > 0) yield all
      },
    }
  }
}
/** What the records of a mailbox are kept by. */
function idOf({ mount, path }: MailLocation): string {
  return `at ${mount.store}\0${mount.root}\0${path}`
}
