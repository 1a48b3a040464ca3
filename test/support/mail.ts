import { uids } from '../../core/api/index.js'
import type {
  AppendItem,
  Clock,
  Entry,
  DriverAbout,
  FactDeriver,
  Logger,
  Located,
  MailAccess,
  MailDriver,
  MailUser,
  MailboxName,
  MailboxSettings,
  UidSet,
} from '../../core/api/index.js'
import type { HostMail } from '../../core/mail/access/context.js'
import { HostDoor } from '../../core/mail/access/door.js'
import { VolatileSidecars, VolatileSubscriptions } from '../../core/mail/access/fallbacks.js'
import { generalSearch } from '../../core/mail/access/engine.js'
import { HostEvents } from '../../core/mail/events.js'
import { SourceRegistry } from '../../core/mail/registry/registry.js'
import { MemoryDriver } from '../../plugins/drivers/memory/store.js'

/** A clock that stands still until it is told to move. */
export class StillClock implements Clock {
  time: number
  readonly #timers = new Set<{ readonly at: number; readonly run: () => void }>()
  constructor(time = Date.UTC(2026, 0, 2, 3, 4, 5)) {
    this.time = time
  }
  now(): number {
    return this.time
  }
  steady(): number {
    return this.now()
  }
  after(ms: number, run: () => void): Disposable {
    const timer = { at: this.time + ms, run }
    this.#timers.add(timer)
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) }
  }
  /** Lets time pass; what is due runs in order. */
  advance(ms: number): void {
    const end = this.time + ms
    for (;;) {
      const due = [...this.#timers].filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.#timers.delete(due)
      this.time = Math.max(this.time, due.at)
      due.run()
    }
    this.time = end
  }
  get waiting(): number {
    return this.#timers.size
  }
}
/** Keeps what was logged at warning level and above. */
export class QuietLogger implements Logger {
  readonly lines: { readonly level: string; readonly event: string; readonly facts: object | undefined }[] = []
  debug(): void {}
  info(): void {}
  warn(event: string, facts?: object): void {
    this.lines.push({ level: 'warn', event, facts })
  }
  error(event: string, facts?: object): void {
    this.lines.push({ level: 'error', event, facts })
  }
}

export const memoryAbout: DriverAbout = {
  modseqs: true,
  keywords: 'any',
  uidsPersist: true,
  hierarchy: true,
  watches: true,
  facts: [],
  manyProcesses: false,
  acceptsUids: false,
}
export const testSettings: MailboxSettings = {
  fileMode: 0o600,
  directoryMode: 0o700,
  stateDirectory: '{home}/.mailwright',
  defaultKeywords: [],
  fromQuoting: 'all',
  checkpointDelayMs: 30_000,
  durability: 'full',
  pollMs: 5_000,
  invalidInbox: 'empty',
  makeOnArrival: 'asked',
}
export const alice: MailUser = { name: 'alice', kind: 'account', home: '/home/alice', facts: {} }
export const bob: MailUser = { name: 'bob', kind: 'account', home: '/home/bob', facts: {} }

/** A host's mail over the memory driver, without kernel, files or network. */
export interface MailFixture extends AsyncDisposable {
  readonly clock: StillClock
  readonly logger: QuietLogger
  readonly driver: MemoryDriver
  readonly host: HostMail
  readonly door: HostDoor
  /** A login of alice, unless told otherwise. */
  login(user?: MailUser): Promise<MailAccess & AsyncDisposable>
}
/** Parts that a test wants different. */
export type MailOverrides = Partial<HostMail> & { readonly clock?: StillClock; readonly driver?: MailDriver }

export function mailFixture(change: MailOverrides = {}): MailFixture {
  const clock = change.clock ?? new StillClock()
  const logger = new QuietLogger()
  const driver = new MemoryDriver(() => clock.now())
  const stores: readonly Entry<MailDriver, DriverAbout>[] = [{ name: 'memory', plugin: 'drivers-memory', about: memoryAbout, made: change.driver ?? driver }]
  const registry = change.registry ?? new SourceRegistry(clock, logger)
  const { driver: _, clock: __, ...rest } = change
  const host: HostMail = {
    stores,
    layers: [],
    resolvers: [],
    policies: [],
    subscriptions: new VolatileSubscriptions(),
    sidecars: new VolatileSidecars(),
    derivers: new Map<string, FactDeriver<unknown>>(),
    indexes: [],
    directories: [],
    events: new HostEvents((error) => logger.error('test.event-failed', { error })),
    settings: testSettings,
    registry,
    engine: generalSearch(clock),
    clock,
    logger,
    stateOf: () => undefined,
    ...rest,
  }
  const door = new HostDoor(host)
  const logins: AsyncDisposable[] = []
  return {
    clock,
    logger,
    driver,
    host,
    door,
    async login(user = alice) {
      const mail = await door.open(user, never)
      logins.push(mail)
      return mail
    },
    async [Symbol.asyncDispose]() {
      for (const mail of logins) await mail[Symbol.asyncDispose]()
      await door[Symbol.asyncDispose]()
      await registry[Symbol.asyncDispose]()
    },
  }
}

/** A signal that is never given. */
export const never: AbortSignal = new AbortController().signal
/** A name, as the wire layer would have made it. */
export function named(name: string): MailboxName {
  return name as MailboxName
}
/** A message on its way in; LF becomes CRLF. */
export function item(text: string, more: Partial<AppendItem> = {}): AppendItem {
  const octets = new TextEncoder().encode(text.replaceAll(/\r?\n/g, '\r\n'))
  return { size: octets.length, bytes: once(octets), binary: false, system: 0, keywords: [], facts: new Map(), ...more }
}
/** A short message of which only the subject matters. */
export function note(subject: string, more: Partial<AppendItem> = {}): AppendItem {
  return item(`From: alice@example.org\nTo: bob@example.org\nSubject: ${subject}\nDate: Fri, 2 Jan 2026 03:04:05 +0000\n\n${subject}\n`, more)
}
export async function* once<T>(...values: readonly T[]): AsyncGenerator<T> {
  for (const value of values) yield value
}
/** Appends messages with these subjects. */
export async function deliverNotes(mail: MailAccess, to: string, ...subjects: readonly string[]): Promise<Located> {
  const located = await mail.locate(named(to), 'append', never)
  await mail.append(located, once(...subjects.map((s) => note(s))), never)
  return located
}
export function listOf(set: UidSet): number[] {
  const out: number[] = []
  for (let i = 0; i < set.ranges.length; i += 2) for (let n = set.ranges[i]!; n <= set.ranges[i + 1]!; n++) out.push(n)
  return out
}
export function setOf(...list: readonly number[]): UidSet {
  return uids.from(list.toSorted((a, b) => a - b))
}
