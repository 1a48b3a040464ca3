import { tmpdir } from 'node:os'
import {
  API_VERSION,
  CLOCK,
  FILES,
  LOGGER,
  MAILBOX_CACHE,
  MAILBOX_SETTINGS,
  MAIL_DOOR,
  MAIL_EVENTS,
  RANDOM,
  SPOOL,
  chosen,
  chosenEntries,
  definePlugin,
  factDerivers,
  mailDrivers,
  mailPolicies,
  namespaceResolvers,
  sealDeriver,
  searchIndexes,
  sidecarBackends,
  storeLayers,
  subscriptions,
  userDirectories,
} from '../api/index.js'
import { HostDoor } from './access/door.js'
import { generalSearch } from './access/engine.js'
import { bodystructureDeriver, envelopeDeriver, partMapDeriver } from '../mime/facts.js'
import { threadingDeriver } from '../mime/threading.js'
import { SegmentPool } from './cache/fact-store.js'
import { OpenCaches } from './cache/mailbox-cache.js'
import { HostEvents } from './events.js'
import { SourceRegistry } from './registry/registry.js'
import { stateKeeper } from './registry/state-folders.js'
import { FileSpool } from './spool/file-spool.js'
import { FACT_MEMORY, MAIL_REGISTRY } from './tokens.js'
import { deriverTable } from './view/deriving.js'

/** Tables, views, journal, cache and the way from a login to its mail. */
export default definePlugin({
  id: 'core-mail',
  api: API_VERSION,
  summary: 'mailboxes as sessions see them',
  setup(p) {
    p.provide(MAIL_EVENTS, {
      needs: { logger: LOGGER },
      create: ({ logger }) => new HostEvents((error) => logger.error('mail.event-handler-failed', { error })),
    })
    p.provide(MAIL_REGISTRY, {
      needs: { clock: CLOCK, logger: LOGGER },
      create: ({ clock, logger }) => new SourceRegistry(clock, logger),
    })
    p.provide(FACT_MEMORY, { create: () => new SegmentPool() })
    p.provide(MAILBOX_CACHE, { needs: { registry: MAIL_REGISTRY }, create: ({ registry }) => new OpenCaches(registry) })
    p.provide(SPOOL, {
      needs: { files: FILES, random: RANDOM },
      create: ({ files, random }) => new FileSpool(files, tmpdir(), random),
    })
    p.provide(MAIL_DOOR, {
      needs: {
        stores: chosenEntries(mailDrivers),
        layers: chosen(storeLayers),
        resolvers: chosen(namespaceResolvers),
        policies: chosen(mailPolicies),
        subscriptions: chosen(subscriptions),
        sidecars: chosen(sidecarBackends),
        derivers: chosen(factDerivers),
        indexes: chosen(searchIndexes),
        directories: chosen(userDirectories),
        events: MAIL_EVENTS,
        settings: MAILBOX_SETTINGS,
        registry: MAIL_REGISTRY,
        clock: CLOCK,
        logger: LOGGER,
        files: FILES,
        pool: FACT_MEMORY,
      },
      create: (n) =>
        new HostDoor({
          stores: n.stores,
          layers: n.layers,
          resolvers: n.resolvers,
          policies: n.policies,
          subscriptions: n.subscriptions,
          sidecars: n.sidecars,
          // A plugin's deriver of the same fact comes first.
          derivers: deriverTable([...n.derivers, sealDeriver(envelopeDeriver), sealDeriver(bodystructureDeriver), sealDeriver(partMapDeriver), sealDeriver(threadingDeriver)]),
          indexes: n.indexes,
          directories: n.directories,
          events: n.events,
          settings: n.settings,
          registry: n.registry,
          engine: generalSearch(n.clock),
          clock: n.clock,
          logger: n.logger,
          stateOf: (at, owner) => stateKeeper(n, at, owner),
        }),
    })
  },
})
