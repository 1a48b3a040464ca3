import type {
  Clock,
  Entry,
  DriverAbout,
  Logger,
  MailDriver,
  MailEvents,
  MailLocation,
  MailPolicy,
  MailUser,
  MailboxSettings,
  MessageValue,
  NamespaceResolver,
  RowSet,
  SearchAbility,
  SearchIndex,
  SearchTerm,
  Sidecar,
  SidecarBackend,
  SortKey,
  StoreLayer,
  SubscriptionStore,
  ThreadNode,
  Threading,
  UidSet,
  UserDirectory,
} from '../../api/index.js'
import type { SourceRegistry, StateKeeper } from '../registry/registry.js'
import type { Derivers } from '../view/deriving.js'
import type { TableView } from '../view/view.js'

/** The general search, with orders and threads, where neither source nor index answers. */
export interface SearchEngine {
  search(view: TableView, ability: SearchAbility | undefined, term: SearchTerm, within: UidSet, signal: AbortSignal): Promise<UidSet>
  sort(view: TableView, ability: SearchAbility | undefined, keys: readonly SortKey[], term: SearchTerm, signal: AbortSignal): Promise<Uint32Array>
  threads(view: TableView, ability: SearchAbility | undefined, by: Threading, term: SearchTerm, signal: AbortSignal): Promise<readonly ThreadNode[]>
  values(view: TableView, of: readonly MessageValue[], rows: RowSet, signal: AbortSignal): Promise<readonly (readonly (string | number)[])[]>
}

/** What all logins of a host share; made once per host. */
export interface HostMail {
  readonly stores: readonly Entry<MailDriver, DriverAbout>[]
  readonly layers: readonly StoreLayer[]
  readonly resolvers: readonly NamespaceResolver[]
  readonly policies: readonly MailPolicy[]
  readonly subscriptions: SubscriptionStore
  readonly sidecars: SidecarBackend
  readonly derivers: Derivers
  readonly indexes: readonly SearchIndex[]
  readonly directories: readonly UserDirectory[]
  readonly events: MailEvents
  readonly settings: MailboxSettings
  readonly registry: SourceRegistry
  readonly engine: SearchEngine
  readonly clock: Clock
  readonly logger: Logger
  /** Where core keeps what lies beside the mailboxes of a place's owner; undefined: nowhere. */
  stateOf(at: MailLocation, owner: MailUser): StateKeeper | undefined
}

/** A sidecar that is opened when it is first used. */
export function lazySidecar(open: () => Promise<Sidecar>): Sidecar {
  let opened: Promise<Sidecar> | undefined
  const side = (): Promise<Sidecar> => (opened ??= open())
  return {
    get: async (r, key) => (await side()).get(r, key),
    put: async (r, key, value) => (await side()).put(r, key, value),
    async *each(r) {
      yield* (await side()).each(r)
    },
  }
}
