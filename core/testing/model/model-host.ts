import { MailError } from '../../api/mail/error.js'
import type { MailUser, Mount } from '../../api/mail/names.js'
import type { SidecarBackend } from '../../api/mail/sidecar.js'
import type { DriverAbout, MailDriver } from '../../api/mail/store.js'
import type { Entry } from '../../api/kernel.js'
import type { MailAccess } from '../../api/session.js'
import { HostDoor } from '../../mail/access/door.js'
import { generalSearch } from '../../mail/access/engine.js'
import { VolatileSidecars, VolatileSubscriptions } from '../../mail/access/fallbacks.js'
import { SegmentPool } from '../../mail/cache/fact-store.js'
import { HostEvents } from '../../mail/events.js'
import { SourceRegistry } from '../../mail/registry/registry.js'
import { stateKeeper } from '../../mail/registry/state-folders.js'
import { never } from '../box.js'
import type { DriverUnderTest } from '../driver-under-test.js'
import { kitUser, type Storage } from '../storage.js'

/** A host as a server has it, with one driver and nothing else: tables, views, journal and cache are core's own. */
export class ModelHost implements AsyncDisposable {
  readonly driver: MailDriver
  readonly #registry: SourceRegistry
  readonly #logins: (MailAccess & AsyncDisposable)[] = []
  readonly #door: HostDoor

  private constructor(driver: MailDriver, registry: SourceRegistry, door: HostDoor) {
    this.driver = driver
    this.#registry = registry
    this.#door = door
  }
  static async start(under: DriverUnderTest, storage: Storage, sidecars: SidecarBackend = new VolatileSidecars()): Promise<ModelHost> {
    const x = storage.services()
    const driver = await under.create(x)
    const registry = new SourceRegistry(x.clock, x.logger)
    const mount: Mount = { prefix: '', class: 'personal', store: 'kit', root: x.home, advertised: true, listed: true, ...under.mount }
    const stores: readonly Entry<MailDriver, DriverAbout>[] = [{ name: 'kit', plugin: 'kit', about: under.about, made: driver }]
    const pool = new SegmentPool()
    const door = new HostDoor({
      stores,
      layers: [],
      resolvers: [
        {
          mounts: () => [mount],
          resolve: ({ name }) => (name.toUpperCase() === 'INBOX' ? { kind: 'inbox' } : { kind: 'at', location: { mount, path: name } }),
        },
      ],
      policies: [],
      subscriptions: new VolatileSubscriptions(),
      sidecars,
      derivers: new Map(),
      indexes: [],
      directories: [],
      events: new HostEvents((error) => {
        throw new MailError('unavailable', 'an event handler failed', { cause: error })
      }),
      settings: x.mailbox,
      registry,
      engine: generalSearch(x.clock),
      clock: x.clock,
      logger: x.logger,
      stateOf: (at, owner) => (under.keeps === 'files' ? stateKeeper({ files: x.files, settings: x.mailbox, clock: x.clock, logger: x.logger, pool }, at, owner) : undefined),
    })
    return new ModelHost(driver, registry, door)
  }
  async login(user: MailUser = kitUser): Promise<MailAccess> {
    const access = await this.#door.open(user, never)
    this.#logins.push(access)
    return access
  }
  async [Symbol.asyncDispose](): Promise<void> {
    for (const login of this.#logins) await login[Symbol.asyncDispose]()
    await this.#door[Symbol.asyncDispose]()
    await this.#registry[Symbol.asyncDispose]()
    const close = (this.driver as Partial<AsyncDisposable>)[Symbol.asyncDispose]
    await close?.call(this.driver)
  }
}
