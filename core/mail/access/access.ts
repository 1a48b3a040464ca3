import { MailError, uids, type GivenNumbers } from '../../api/index.js'
import type {
  AppendItem,
  AppendResult,
  CopyResult,
  Examination,
  FoundMailbox,
  ListEntry,
  Located,
  MailAccess,
  MailEvents,
  MailLocation,
  MailboxFigures,
  MailboxName,
  MailboxView,
  MessageValue,
  MailStore,
  MailUser,
  Mount,
  Purpose,
  SearchAbility,
  SearchTerm,
  Sidecar,
  RowSet,
  SortKey,
  ThreadNode,
  Threading,
  UidSet,
} from '../../api/index.js'
import { asMailFailure, orCancelled } from '../failures.js'
import type { Notice } from '../table/change-log.js'
import type { StateKeeper } from '../registry/registry.js'
import type { ArrivalHearer, SharedMailbox } from '../registry/shared-mailbox.js'
import { TableView, type ViewOwner } from '../view/view.js'
import type { HostMail } from './context.js'
import { copyMessages } from './copying.js'
import { deliver, type Delivering } from './delivering.js'
import { figuresOf, uidsIn } from './figures.js'
import { holdsOctets } from './holding.js'
import { listNames } from './listing.js'
import { NewMail } from './new-mail.js'
import { checkName, mountTable, nameAt } from './mounts.js'
import { INBOX, LoginNames } from './names.js'
import { LoginRecords } from './records.js'
import { mayWrite, mustHave } from './rights.js'
import { LoginStores } from './stores.js'
import { setSubscription, subscribedNames, type SubscribingParts } from './subscribing.js'

/** Purposes whose mailbox must be there. */
const PROBED: readonly Purpose[] = ['open', 'examine', 'status', 'append']

/** What a location was found to be, so that opening does not ask again; used once. */
const probes = new WeakMap<Located, FoundMailbox>()

/** The mail of one login. */
export class LoginMail implements MailAccess, ViewOwner, Delivering, AsyncDisposable {
  readonly user: MailUser
  readonly mounts: readonly Mount[]
  readonly #host: HostMail
  readonly #stores: LoginStores
  readonly #records: LoginRecords
  readonly #names: LoginNames
  readonly #views = new Map<TableView, SharedMailbox>()
  /** Views of mailboxes into which new mail is moved. */
  readonly #taking = new WeakSet<TableView>()
  readonly #newMail: NewMail
  readonly arrivals: ArrivalHearer
  #reads = false
  readonly #waitHearers = new Set<(text: string) => void>()
  constructor(user: MailUser, host: HostMail, arrivals: ArrivalHearer) {
    this.user = user
    this.#host = host
    this.arrivals = arrivals
    this.mounts = mountTable(user, host.resolvers, host.stores[0]?.name ?? '')
    this.#stores = new LoginStores(user, host)
    this.#records = new LoginRecords(user, host, this.mounts, this.#stores)
    this.#names = new LoginNames(user, host, this.mounts, this.#records)
    this.#newMail = new NewMail({ login: this, mounts: this.mounts, registry: host.registry, settings: host.settings, clock: host.clock, logger: host.logger, store: (mount) => this.#stores.of(mount), states: (at) => this.#states(at), sidecar: () => this.accountSidecar() })
  }
  get events(): MailEvents {
    return this.#host.events
  }
  get policies(): HostMail['policies'] {
    return this.#host.policies
  }
  get registry(): HostMail['registry'] {
    return this.#host.registry
  }
  get derivers(): HostMail['derivers'] {
    return this.#host.derivers
  }
  get reads(): boolean {
    return this.#reads
  }
  hearWaits(hear: (text: string) => void): Disposable {
    this.#waitHearers.add(hear)
    return { [Symbol.dispose]: () => void this.#waitHearers.delete(hear) }
  }
  readonly tellWait = (text: string): void => {
    for (const hear of this.#waitHearers) hear(text)
  }
  listening(mailbox: SharedMailbox): Disposable {
    return mailbox.hearWaits(this.tellWait)
  }
  store(to: Located): Promise<MailStore> {
    return this.#stores.of(to.at.mount)
  }
  async delimiterOf(mount: Mount, signal: AbortSignal): Promise<string | undefined> {
    return (await orCancelled(this.#stores.of(mount), signal)).delimiter
  }

  // ---- names

  async locate(name: MailboxName, purpose: Purpose, signal: AbortSignal): Promise<Located> {
    checkName(name)
    const located = await this.#names.locate(name, purpose, signal)
    if (PROBED.includes(purpose)) probes.set(located, await this.#find(located, signal))
    return located
  }
  async #find(located: Located, signal: AbortSignal): Promise<FoundMailbox> {
    try {
      const store = await this.store(located)
      let found = await store.find(located.at, signal)
      if (found === undefined && located.at.takesNewMail === true) {
        await store.create(located.at, { specialUse: [] })
        found = await store.find(located.at, signal)
      }
      if (found !== undefined) return found
    } catch (error) {
      throw asMailFailure(error)
    }
    throw new MailError('not-found', 'no such mailbox')
  }
  /** What is known of a mailbox that is to be moved or deleted, which may be none that anybody can open. */
  async #known(at: MailLocation, store: MailStore, signal: AbortSignal): Promise<FoundMailbox | undefined> {
    try {
      return await store.find(at, signal)
    } catch (error) {
      if (error instanceof MailError && error.kind === 'corrupt') return undefined
      throw error
    }
  }
  nameOf(at: MailLocation): MailboxName | undefined {
    return nameAt(at, this.mounts)
  }
  list(query: { readonly reference: MailboxName; readonly patterns: readonly string[]; readonly subscribed?: true }, signal: AbortSignal): AsyncIterable<readonly ListEntry[]> {
    return listNames(
      {
        mounts: this.mounts,
        store: (mount) => this.#stores.of(mount),
        locatedAt: (name, at) => this.#names.weighed(name, at, this.user, signal),
        subscribed: () => subscribedNames(this.#subscribing()),
        marked: () => this.#marked(),
        resolve: (name) => this.#names.resolve(name, 'list'),
        homeOf: (name) => this.#names.homeOf(name, signal),
      },
      query,
      signal,
    )
  }
  async subscribe(name: MailboxName, on: boolean): Promise<void> {
    checkName(name)
    const canonical = name.toUpperCase() === INBOX ? INBOX : name
    if (this.user.kind === 'anonymous') throw new MailError('denied', 'anonymous users have no subscriptions')
    const answer = this.#names.resolve(canonical, 'subscribe')
    // A mailbox of the name may come; a name that can never lead to one is refused. To take it off the list is always right.
    if (on && (answer.kind === 'denied' || answer.kind === 'unknown')) throw new MailError('not-found', 'not a mailbox')
    await setSubscription(this.#subscribing(), canonical, on, answer.kind === 'at' ? answer.location : undefined)
    if (answer.kind === 'at') this.events.emit({ at: answer.location, kind: on ? 'subscribed' : 'unsubscribed' })
  }
  /** For marks on mailboxes, which are there whatever became of the list. */
  async #marked(): Promise<readonly MailboxName[]> {
    try {
      return await subscribedNames(this.#subscribing())
    } catch (error) {
      this.#host.logger.warn('subscriptions cannot be read, mailboxes are listed without their marks', { user: this.user.name, error })
      return []
    }
  }
  #subscribing(): SubscribingParts {
    const { subscriptions: list, stores } = this.#host
    const keepers = new Set(stores.filter(({ about }) => about.subscriptions === true).map(({ name }) => name))
    return { user: this.user, mounts: this.mounts, list, keepers, store: (mount) => this.#stores.of(mount) }
  }
  sidecar(at: Located): Sidecar {
    return this.#records.of(at.at)
  }
  accountSidecar(): Sidecar {
    return this.#records.ofAccount()
  }

  // ---- mailboxes

  /** The mailbox, open and true, and what was said while it was looked at; to be released. */
  async #acquire(at: Located, writes: boolean, signal: AbortSignal): Promise<{ readonly mailbox: SharedMailbox; readonly notices: readonly Notice[]; readonly takesNewMail: boolean }> {
    const found = probes.get(at) ?? (await this.#find(at, signal))
    probes.delete(at)
    const takesNewMail = found.takesNewMail === true || at.at.takesNewMail === true
    const mailbox = await this.registry.acquire(found, this.#host.settings, this.#states(at.at), signal)
    try {
      mailbox.outlet({ events: this.events, at: at.at })
      mailbox.tellArrivals(this.arrivals)
      if (writes) mailbox.writers++
      const heard = mailbox.hearNotices()
      try {
        using _heard = this.listening(mailbox)
        if (writes && takesNewMail) await this.#newMail.into(at, mailbox, signal, found.place)
        await mailbox.refresh(signal, found.stat)
      } catch (error) {
        if (writes) mailbox.writers--
        throw error
      } finally {
        heard[Symbol.dispose]()
      }
      return { mailbox, notices: heard.notices, takesNewMail }
    } catch (error) {
      this.registry.release(mailbox)
      if (await this.#isOfAnotherFormat(at, found, error, signal)) return this.#acquire(at, writes, signal)
      throw asMailFailure(error)
    }
  }
  /** Whether what is damaged in the format in which it was found is a mailbox of another one: that it only grew since it was recognised was not true then. */
  async #isOfAnotherFormat(at: Located, found: FoundMailbox, error: unknown, signal: AbortSignal): Promise<boolean> {
    if (found.format === undefined || !(error instanceof MailError) || error.kind !== 'corrupt') return false
    const again = await this.#find(at, signal).catch(() => undefined)
    if (again?.format === undefined || again.format === found.format) return false
    probes.set(at, again)
    return true
  }
  /** Before a session that may write looks at the mailbox again. */
  async beforeSync(view: TableView, signal: AbortSignal): Promise<void> {
    if (!view.readOnly && this.#taking.has(view)) await this.#newMail.into(view.at, view.mailbox, signal)
  }
  probed(to: Located): FoundMailbox | undefined {
    const found = probes.get(to)
    probes.delete(to)
    return found
  }
  async hold(to: Located, found: FoundMailbox, signal: AbortSignal): Promise<SharedMailbox> {
    const mailbox = await this.registry.acquire(found, this.#host.settings, this.#states(to.at), signal)
    mailbox.outlet({ events: this.events, at: to.at })
    mailbox.tellArrivals(this.arrivals)
    return mailbox
  }
  #states(at: MailLocation): StateKeeper | undefined {
    return this.#host.stateOf(at, this.#names.ownerOf(at))
  }
  async keyOf(at: Located, signal: AbortSignal): Promise<string> {
    const found = probes.get(at) ?? (await this.#find(at, signal))
    probes.set(at, found)
    return found.key
  }
  async open(at: Located, mode: 'read-write' | 'read-only', signal: AbortSignal): Promise<MailboxView> {
    mustHave(at.rights, 'r', 'reading')
    const writes = mode === 'read-write' && at.at.mount.readOnly !== true && mayWrite(at.rights)
    const { mailbox, notices } = await this.#acquire(at, writes, signal)
    const writable = writes && mailbox.source.traits.writable
    if (writes && !writable) mailbox.writers--
    const { protected: why } = mailbox.source.traits
    const refused = writes && !writable && why !== undefined
    if (refused) this.#host.logger.info('Mailbox is read-only', { user: this.user.name, mailbox: at.name, reason: why })
    const view = new TableView(mailbox, at, !writable, this, refused ? [...notices, { severity: 'warning', text: why }] : notices)
    this.#views.set(view, mailbox)
    this.#reads = true
    if (writable && (at.at.takesNewMail === true || this.#newMail.knows(mailbox.key))) this.#taking.add(view)
    return view
  }
  async closed(view: TableView, signal: AbortSignal): Promise<void> {
    const mailbox = this.#views.get(view)
    if (mailbox === undefined) return
    this.#views.delete(view)
    try {
      using _heard = this.listening(mailbox)
      if (!view.readOnly) await orCancelled(this.#leave(mailbox), signal)
    } catch (error) {
      this.#host.logger.warn('mail.checkpoint-failed', { key: mailbox.key, error })
    } finally {
      this.registry.release(mailbox)
    }
  }
  /** A session that could write is gone. What is journalled is durable already; a failure here leaves it for the next time. */
  async #leave(mailbox: SharedMailbox): Promise<void> {
    try {
      // Messages that came since the last look are recent to this session, and to none after it (RFC 3501 §2.3.2).
      if (mailbox.writers === 1 && mailbox.gave && mailbox.gone === undefined) await mailbox.refresh(mailbox.signal)
    } finally {
      mailbox.writers--
    }
    if (mailbox.writers === 0 && mailbox.gone === undefined) await mailbox.checkpoint(mailbox.signal)
  }
  async *figures(of: readonly Located[], signal: AbortSignal): AsyncGenerator<MailboxFigures> {
    const batches = new Map<MailStore, Located[]>()
    for (const located of of) {
      mustHave(located.rights, 'r', 'reading')
      const store = await this.store(located)
      if (store.figures === undefined) {
        yield await this.#counted(located, signal)
        continue
      }
      const batch = batches.get(store)
      if (batch === undefined) batches.set(store, [located])
      else batch.push(located)
    }
    for (const [store, batch] of batches) {
      if (store.figures !== undefined) yield* store.figures(batch.map((l) => l.at), signal)
    }
  }
  async #counted(located: Located, signal: AbortSignal): Promise<MailboxFigures> {
    const { mailbox, takesNewMail } = await this.#acquire(located, false, signal)
    try {
      if (mailbox.table.generation.gaps > 0) await mailbox.fill(uidsIn(mailbox.table), signal)
      const figures = figuresOf(mailbox.table, located.at)
      // A client that asks again and again opens the mailbox when there is more than it knows, and new mail is moved then.
      const waiting = takesNewMail && figures.recent === 0 ? await this.#newMail.waiting(mailbox.key, signal) : undefined
      if (waiting === undefined) return figures
      const { messages, unseen } = waiting
      return { ...figures, messages: figures.messages + messages, unseen: figures.unseen + unseen, uidNext: figures.uidNext + messages }
    } finally {
      this.registry.release(mailbox)
    }
  }
  async create(name: MailboxName, how: { readonly specialUse: readonly string[] } & GivenNumbers, signal: AbortSignal): Promise<Located> {
    const located = await this.locate(name, 'create', signal)
    // In a format that is named it takes the place of the one that is there (`#driver.mix/INBOX`).
    const takesOver = located.name === INBOX && located.at.format !== undefined
    if (located.name === INBOX && !takesOver) throw new MailError('exists', 'INBOX exists always')
    mustHave(located.rights, 'k', 'creating mailboxes')
    const store = await this.store(located)
    try {
      if (!takesOver && !located.at.path.endsWith(store.delimiter ?? '/') && (await store.find(located.at, signal)) !== undefined) throw new MailError('exists', 'the mailbox exists')
      await store.create(located.at, how)
      await this.#records.follow(located.at, (records) => records.removed?.(located.at))
    } catch (error) {
      throw asMailFailure(error)
    }
    this.events.emit({ at: located.at, kind: 'created' })
    return located
  }
  async remove(at: Located, signal: AbortSignal): Promise<void> {
    if (at.at.path.toUpperCase() === 'INBOX') throw new MailError('denied', 'INBOX cannot be deleted')
    mustHave(at.rights, 'x', 'deleting mailboxes')
    const store = await this.store(at)
    try {
      const found = await this.#known(at.at, store, signal)
      if (found === undefined) await store.remove(at.at, this.tellWait)
      else await this.registry.remove(found.key, this.#states(at.at), () => store.remove(at.at, this.tellWait))
      await this.#records.follow(at.at, (records) => records.removed?.(at.at))
    } catch (error) {
      throw asMailFailure(error)
    }
    this.events.emit({ at: at.at, kind: 'deleted' })
  }
  async rename(from: Located, to: MailboxName, signal: AbortSignal): Promise<void> {
    const target = await this.locate(to, 'rename', signal)
    if (target.name === INBOX) throw new MailError('exists', 'INBOX exists always')
    const isInbox = from.name === INBOX
    if (!isInbox) mustHave(from.rights, 'x', 'renaming mailboxes')
    mustHave(target.rights, 'k', 'creating mailboxes')
    const store = await this.store(from)
    try {
      if ((await (await this.store(target)).find(target.at, signal)) !== undefined) throw new MailError('exists', 'a mailbox of the new name exists')
      if (isInbox) return await this.#emptyInboxInto(from, target, signal)
      if (store !== (await this.store(target))) throw new MailError('unsupported', 'the new name is in another store')
      const delimiter = store.delimiter ?? '\0'
      if (target.at.path.startsWith(from.at.path + delimiter)) throw new MailError('denied', 'a mailbox cannot become its own inferior')
      const found = await this.#known(from.at, store, signal)
      // Sources know their place by name: those of the mailbox and of all below it end, with what is journalled folded in.
      if (found !== undefined) await this.registry.evict(found.key, 'the mailbox was renamed', true)
      for (const key of this.registry.keysUnder(from.at, delimiter)) await this.registry.evict(key, 'the mailbox was renamed', true)
      await store.rename(from.at, target.at, this.tellWait)
      await this.#records.follow(from.at, (records) => records.renamed?.(from.at, target.at))
    } catch (error) {
      throw asMailFailure(error)
    }
    this.events.emit({ at: target.at, kind: 'renamed', from: from.at })
  }
  /** RENAME of INBOX moves its messages and leaves it empty; its inferiors stay (RFC 3501 §6.3.5). */
  async #emptyInboxInto(inbox: Located, target: Located, signal: AbortSignal): Promise<void> {
    await (await this.store(target)).create(target.at, { specialUse: [] })
    await this.#records.follow(target.at, (records) => records.removed?.(target.at))
    this.events.emit({ at: target.at, kind: 'created' })
    const view = await this.open(inbox, 'read-write', signal)
    try {
      const all = view.resolve({ pairs: Uint32Array.of(1, view.announced) }, 'seq')
      if (view.announced > 0) await view.copy(all, target, 'move', signal)
    } finally {
      await view.close(signal)
    }
  }
  async examine(at: Located, signal: AbortSignal): Promise<Examination | undefined> {
    mustHave(at.rights, 'r', 'reading')
    const store = await this.store(at)
    return await store.examine?.(at.at, signal)
  }
  holds(at: Located, octets: Uint8Array, signal: AbortSignal): Promise<boolean> {
    return holdsOctets(this, at, octets, signal)
  }
  append(to: Located, items: AsyncIterable<AppendItem>, signal: AbortSignal): Promise<AppendResult | undefined> {
    return deliver(this, to, items, signal)
  }

  // ---- what views ask for

  async copy(from: TableView, set: UidSet, to: Located, how: 'copy' | 'move', signal: AbortSignal): Promise<CopyResult | undefined> {
    const sameStore = (await this.store(to)) === (await this.store(from.at))
    return copyMessages({ d: this, from, set, to, how, sameStore, signal })
  }
  async search(from: TableView, term: SearchTerm, within: UidSet, signal: AbortSignal): Promise<UidSet> {
    if (within.count === 0) return uids.none
    return this.#host.engine.search(from, await this.#ability(from), term, within, signal)
  }
  async sort(from: TableView, keys: readonly SortKey[], term: SearchTerm, signal: AbortSignal): Promise<Uint32Array> {
    return this.#host.engine.sort(from, await this.#ability(from), keys, term, signal)
  }
  async threads(from: TableView, by: Threading, term: SearchTerm, signal: AbortSignal): Promise<readonly ThreadNode[]> {
    return this.#host.engine.threads(from, await this.#ability(from), by, term, signal)
  }
  values(from: TableView, of: readonly MessageValue[], rows: RowSet, signal: AbortSignal): ReturnType<MailboxView['values']> {
    return this.#host.engine.values(from, of, rows, signal)
  }
  /** An index in front of the driver, or the driver's own search. */
  async #ability(from: TableView): Promise<SearchAbility | undefined> {
    for (const index of this.#host.indexes) {
      const ability = await index.of(from.at.at, this.user)
      if (ability !== undefined) return ability
    }
    return from.mailbox.source.search
  }

  /** Closes the login's views and stores. */
  async [Symbol.asyncDispose](): Promise<void> {
    const never = new AbortController().signal
    for (const view of this.#views.keys()) await view.close(never)
    await this.#stores.close()
  }
}
