import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { ENVELOPE, MailError, SYSTEM, delegate, sealDeriver, type AppendResult, type Delivery, type FactDeriver, type MailStore, type StoreLayer, type MailAccess, type MailboxSettings, type MailboxView } from '../../../core/api/index.js'
import { SegmentPool } from '../../../core/mail/cache/fact-store.js'
import { stateKeeper } from '../../../core/mail/registry/state-folders.js'
import { MailTable } from '../../../core/mail/table/table.js'
import { deriverTable, type Derivers } from '../../../core/mail/view/deriving.js'
import { VirtualFiles } from '../../../core/testing/disk/virtual-files.js'
import { envelopeDeriver, bodystructureDeriver } from '../../../core/mime/facts.js'
import { MemoryDriver } from '../../../plugins/drivers/memory/store.js'
import { QuietLogger, StillClock, deliverNotes, item, mailFixture, named, never, setOf, testSettings } from '../../support/mail.js'

const DAY_MS = 86_400_000

/** Takes messages out of another mailbox as they lie there, or with an octet more. */
function taking(more: string): StoreLayer {
  const rows = new MailTable({ ownModseqs: false, firstModseq: 1 }).generation
  return {
    wrap: async (inner) =>
      delegate(inner, [], {
        find: async (at, signal) => {
          const found = await inner.find(at, signal)
          return found && { ...found, open: async (s) => delegate(await found.open(s), ['watch', 'reclaim'], {}) }
        },
        append: async (at, signal): Promise<Delivery> => {
          const delivery = await inner.append(at, signal)
          return {
            add: (message, s) => delivery.add(message, s),
            async take(from, messages, _rows, s) {
              for (const { uid, ...rest } of messages) {
                for await (const batch of from.read(setOf(uid), { bytes: 'whole', sections: [], facts: [] }, rows, s)) {
                  for (const m of batch) await delivery.add(item(`${new TextDecoder().decode(m.bytes.inline)}${more}`, rest), s)
                }
              }
              return true
            },
            commit: (open, s) => delivery.commit(open, s),
            abort: () => delivery.abort(),
          }
        },
      }),
  }
}
/** A store whose commits wait for the disk: those that are under way, and what it says of its messages. */
class SlowDisk implements StoreLayer {
  /** Set: commits wait until it resolves. */
  gate: Promise<void> | undefined
  fails = false
  result: (result: AppendResult | undefined) => AppendResult | undefined = (result) => result
  /** What the store is given to say what messages will be; `undefined`: it cannot say. */
  says: (told: (octets: Uint8Array) => void) => ((octets: Uint8Array) => void) | undefined = (told) => told
  async wrap(inner: MailStore): Promise<MailStore> {
    return delegate(inner, [], {
      append: async (at, signal): Promise<Delivery> => {
        const delivery = await inner.append(at, signal)
        return {
          add: (message, s) => {
            const willBe = message.bytes.willBe && this.says((octets) => message.bytes.willBe?.(octets))
            return delivery.add({ ...message, bytes: { [Symbol.asyncIterator]: () => message.bytes[Symbol.asyncIterator](), ...(willBe && { willBe }) } }, s)
          },
          commit: async (open, s) => {
            await this.gate
            // What others put there meanwhile comes first.
            await open?.source.refresh(open.edit, { claimRecent: false }, s)
            if (this.fails) throw new MailError('unavailable', 'the disk is full')
            return this.result(await delivery.commit(open, s))
          },
          abort: () => delivery.abort(),
        }
      },
    })
  }
  /** Work that begins, and time enough for others to do theirs before a commit is done. */
  async slowly<T>(work: () => Promise<T>, meanwhile: () => Promise<void> = () => Promise.resolve()): Promise<T> {
    let open = (): void => undefined
    this.gate = new Promise((resolve) => (open = resolve))
    const result = work()
    result.catch(() => undefined)
    for (let turn = 0; turn < 50; turn++) await setImmediate()
    await meanwhile()
    this.gate = undefined
    open()
    try {
      return await result
    } finally {
      for (let turn = 0; turn < 5; turn++) await setImmediate()
    }
  }
}
/** Mail in memory whose state lies on a disk; `made` says of which messages envelopes were made, by anybody. */
class Site {
  readonly files: VirtualFiles
  readonly clock: StillClock
  readonly driver: MemoryDriver
  readonly made: string[] = []
  /** What is made takes so long. */
  workMs = 0
  readonly fixture: ReturnType<typeof mailFixture>
  readonly #settings: MailboxSettings
  readonly #layers: readonly StoreLayer[]
  constructor(makeOnArrival: MailboxSettings['makeOnArrival'] = 'asked', before?: Site, layers: readonly StoreLayer[] = []) {
    this.files = before === undefined ? new VirtualFiles() : new VirtualFiles(before.files.disk)
    this.clock = before?.clock ?? new StillClock()
    this.driver = before?.driver ?? new MemoryDriver(() => this.clock.now())
    this.#settings = { ...testSettings, makeOnArrival }
    this.#layers = layers
    const deriver: FactDeriver<Uint8Array> = {
      ...envelopeDeriver,
      derive: async (m, signal) => {
        const ends = performance.now() + this.workMs
        while (performance.now() < ends) continue
        const envelope = await envelopeDeriver.derive(m, signal)
        this.made.push(subjectOf(envelope))
        return envelope
      },
    }
    this.fixture = this.with(deriverTable([sealDeriver(deriver)]))
  }
  /** Its mail, with other makers of facts. */
  with(derivers: Derivers): ReturnType<typeof mailFixture> {
    const settings = this.#settings
    const parts = { files: this.files, settings, clock: this.clock, logger: new QuietLogger(), pool: new SegmentPool() }
    return mailFixture({
      clock: this.clock,
      driver: this.driver,
      layers: this.#layers,
      settings,
      derivers,
      stateOf: (at, owner) => stateKeeper(parts, at, { ...owner, home: '/home' }),
    })
  }
  static async start(makeOnArrival?: MailboxSettings['makeOnArrival'], layers?: readonly StoreLayer[]): Promise<Site> {
    const site = new Site(makeOnArrival, undefined, layers)
    await site.files.makeDirectory('/home', 0o755)
    return site
  }
  login(): Promise<MailAccess & AsyncDisposable> {
    return this.fixture.login()
  }
  /** Time in which nobody asks for anything. */
  async idle(): Promise<void> {
    for (let second = 0; second < 12; second++) await this.pass(1000)
  }
  /** Some milliseconds of it: what is in memory is used, and nothing is read yet. */
  async moment(): Promise<void> {
    for (let ms = 0; ms < 40; ms++) await this.pass(1)
  }
  /** Time, and turns in which what is due then is done. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms)
    for (let turn = 0; turn < 20; turn++) await setImmediate()
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.fixture[Symbol.asyncDispose]()
  }
}
function subjectOf(envelope: Uint8Array): string {
  return /^\("[^"]*" "([^"]*)"/.exec(new TextDecoder().decode(envelope))?.[1] ?? ''
}
async function opened(mail: MailAccess, name = 'INBOX'): Promise<MailboxView> {
  return mail.open(await mail.locate(named(name), 'open', never), 'read-write', never)
}
/** As FETCH ENVELOPE of all. */
async function subjects(view: MailboxView): Promise<readonly string[]> {
  const out: string[] = []
  view.take({ expunge: true })
  for await (const batch of view.read(view.resolve({ pairs: Uint32Array.of(1, 0xffffffff) }, 'seq'), { bytes: 'none', sections: [], facts: [ENVELOPE] }, never)) {
    for (const m of batch) out.push(subjectOf(m.fact!(ENVELOPE)!))
  }
  return out
}
async function asked(site: Site, mail: MailAccess): Promise<void> {
  await deliverNotes(mail, 'INBOX', 'first')
  const view = await opened(mail)
  await subjects(view)
  await view.close(never)
  await site.idle()
  expect(site.made).toEqual(['first'])
}

describe('of messages that are still in memory', () => {
  async function start(): Promise<{ site: Site; mail: MailAccess; disk: SlowDisk; view: MailboxView }> {
    const disk = new SlowDisk()
    const site = await Site.start('asked', [disk])
    const mail = await site.login()
    await asked(site, mail)
    const view = await opened(mail)
    site.made.length = 0
    return { site, mail, disk, view }
  }
  test('envelopes are made as soon as nobody saves any, and nobody makes them again', async () => {
    const { site, mail, disk, view } = await start()
    await using _site = site
    await deliverNotes(mail, 'INBOX', 'two', 'three')
    await disk.slowly(() => deliverNotes(mail, 'INBOX', 'four'), async () => {
      await site.moment()
      expect(site.made).toEqual([])
    })
    expect(site.made).toEqual([])
    await site.moment()
    expect(site.made).toEqual(['two', 'three', 'four'])
    await view.sync(never)
    expect(await subjects(view)).toEqual(['first', 'two', 'three', 'four'])
    await site.idle()
    expect(site.made).toEqual(['two', 'three', 'four'])
  })
  test('they are kept for the next process', async () => {
    const { site, mail } = await start()
    await deliverNotes(mail, 'INBOX', 'two')
    await site.moment()
    expect(site.made).toEqual(['two'])
    await site.idle()
    await site[Symbol.asyncDispose]()
    await using after = new Site('asked', site)
    expect(await subjects(await opened(await after.login()))).toEqual(['first', 'two'])
    expect(after.made).toEqual([])
  })
  test('a client that asks first makes them, and they are passed over', async () => {
    const { site, mail, view } = await start()
    await using _site = site
    await deliverNotes(mail, 'INBOX', 'two', 'three')
    await view.sync(never)
    expect(await subjects(view)).toEqual(['first', 'two', 'three'])
    await site.idle()
    expect(site.made).toEqual(['two', 'three'])
  })
  test('what goes before its turn leaves the rest alone', async () => {
    const { site, mail, view } = await start()
    await using _site = site
    await deliverNotes(mail, 'INBOX', 'two', 'three', 'four')
    await view.sync(never)
    view.take({ expunge: true })
    await view.store({ uids: setOf(3), how: 'add', system: SYSTEM.deleted, keywords: [] }, true, never)
    await view.expunge(setOf(3), never)
    view.take({ expunge: true })
    await site.moment()
    expect(site.made).toEqual(['two', 'four'])
    expect(await subjects(view)).toEqual(['first', 'two', 'four'])
  })
  test.each([
    { name: 'nothing is made where nobody ever asked, by a program that delivers', client: false, made: [], fetched: ['one'] },
    { name: 'the usual things are where nobody ever asked, by a client', client: true, made: ['one'], fetched: ['one'] },
  ])('$name', async ({ client, made, fetched }) => {
    const site = await Site.start('asked')
    const mail = await site.login()
    if (client) await opened(mail)
    await deliverNotes(mail, 'INBOX', 'one')
    await site.moment()
    expect(site.made).toEqual(made)
    await site.idle()
    expect(site.made).toEqual(made)
    await site[Symbol.asyncDispose]()
    await using after = new Site('asked', site)
    expect(await subjects(await opened(await after.login()))).toEqual(['one'])
    expect([...site.made, ...after.made]).toEqual(fetched)
  })
  test('nothing is made by a client where nobody asked for a month', async () => {
    const { site, mail, disk } = await start()
    await using _site = site
    site.clock.advance(31 * DAY_MS)
    await disk.slowly(() => deliverNotes(mail, 'INBOX', 'two'))
    await site.idle()
    expect(site.made).toEqual([])
  })
  test('nothing is kept of messages that could not be saved', async () => {
    const { site, mail, disk, view } = await start()
    await using _site = site
    disk.fails = true
    await expect(disk.slowly(() => deliverNotes(mail, 'INBOX', 'lost'))).rejects.toMatchObject({ kind: 'unavailable' })
    disk.fails = false
    // The same size, under the same number.
    await deliverNotes(mail, 'INBOX', 'here')
    await view.sync(never)
    expect(await subjects(view)).toEqual(['first', 'here'])
    await site.idle()
    expect(site.made).toEqual(['here'])
  })
  test("messages that others' came before have the numbers that they got", async () => {
    const { site, mail, disk, view } = await start()
    await using _site = site
    await using other = mailFixture({ driver: site.driver, clock: site.clock })
    const elsewhere = await other.login()
    await disk.slowly(() => deliverNotes(mail, 'INBOX', 'mine', 'last'), async () => void (await deliverNotes(elsewhere, 'INBOX', 'that')))
    await view.sync(never)
    await site.moment()
    expect(site.made).toEqual(['mine', 'last'])
    expect(await subjects(view)).toEqual(['first', 'that', 'mine', 'last'])
  })
  test.each<{ name: string; says: SlowDisk['says'] }>([
    { name: 'does not say what messages will be', says: () => undefined },
    { name: 'says that they will be longer', says: (told) => (octets) => told(Buffer.concat([octets, Buffer.from('more')])) },
  ])('nothing of a store that $name', async ({ says }) => {
    const { site, mail, disk, view } = await start()
    await using _site = site
    disk.says = says
    await deliverNotes(mail, 'INBOX', 'two')
    await site.moment()
    expect(site.made).toEqual([])
    await site.idle()
    expect(site.made).toEqual(['two'])
    await view.sync(never)
    expect(await subjects(view)).toEqual(['first', 'two'])
  })
  test('facts that cannot be made, at once or later, leave messages and the process alone', async () => {
    await using site = await Site.start('always')
    const derivers = deriverTable([
      sealDeriver({ ...envelopeDeriver, derive: () => Promise.reject(new Error('later')) }),
      sealDeriver({
        ...bodystructureDeriver,
        derive: () => {
          throw new Error('at once')
        },
      }),
    ])
    await using fixture = site.with(derivers)
    const unheard: unknown[] = []
    const hear = (reason: unknown): void => void unheard.push(reason)
    process.on('unhandledRejection', hear)
    const mail = await fixture.login()
    const view = await opened(mail)
    await deliverNotes(mail, 'INBOX', 'one')
    await site.moment()
    view.take({ expunge: true })
    expect(view.announced).toBe(1)
    process.off('unhandledRejection', hear)
    expect(unheard).toEqual([])
  })
  test('numbers of another UIDVALIDITY are no numbers of theirs', async () => {
    const { site, mail, disk } = await start()
    await using _site = site
    disk.result = (result) => result && { ...result, uidValidity: result.uidValidity + 1 }
    await deliverNotes(mail, 'INBOX', 'two')
    await site.moment()
    expect(site.made).toEqual([])
    await site.idle()
    expect(site.made).toEqual(['two'])
  })
})

describe('envelopes of messages that arrive', () => {
  test('are made before a client asks again, once clients asked', async () => {
    await using site = await Site.start()
    const mail = await site.login()
    await deliverNotes(mail, 'INBOX', 'one')
    await site.idle()
    expect(site.made).toEqual([])
    const view = await opened(mail)
    expect(await subjects(view)).toEqual(['one'])
    await deliverNotes(mail, 'INBOX', 'two', 'three')
    await deliverNotes(mail, 'INBOX', 'four')
    expect(site.made).toEqual(['one'])
    await site.idle()
    expect(site.made).toEqual(['one', 'two', 'three', 'four'])
    await view.sync(never)
    expect(await subjects(view)).toEqual(['one', 'two', 'three', 'four'])
    expect(site.made).toHaveLength(4)
  })
  test('a hundred of them in steps, in order', async () => {
    await using site = await Site.start('always')
    const names = Array.from({ length: 100 }, (_, i) => `m${i}`)
    const mail = await site.login()
    await opened(mail)
    await deliverNotes(mail, 'INBOX', ...names)
    await site.idle()
    expect(site.made).toEqual(names)
  })
  test('while messages keep coming those that have to be read wait, but not for ever', async () => {
    const disk = new SlowDisk()
    disk.says = () => undefined
    await using site = await Site.start('always', [disk])
    const mail = await site.login()
    await opened(mail)
    const names = Array.from({ length: 80 }, (_, i) => `m${i}`)
    for (const [i, name] of names.entries()) {
      await deliverNotes(mail, 'INBOX', name)
      await site.pass(50)
      if (i === 9) expect(site.made).toEqual([])
    }
    expect(site.made.length).toBeGreaterThan(0)
    await site.idle()
    expect(site.made).toEqual(names)
  })
  test('a new mailbox does what was asked for elsewhere in the account', async () => {
    await using site = await Site.start()
    const mail = await site.login()
    await asked(site, mail)
    await mail.create(named('Archive'), { specialUse: [] }, never)
    await opened(mail, 'Archive')
    await deliverNotes(mail, 'Archive', 'kept')
    await site.idle()
    expect(site.made).toEqual(['first', 'kept'])
  })
  test.each([
    { days: 30, made: ['first', 'later'] },
    { days: 31, made: ['first'] },
  ])('$days days after the last question', async ({ days, made }) => {
    await using site = await Site.start()
    const mail = await site.login()
    await asked(site, mail)
    site.clock.advance(days * DAY_MS - 12_000)
    await deliverNotes(mail, 'INBOX', 'later')
    await site.idle()
    expect(site.made).toEqual(made)
  })
  test.each([
    { setting: 'never' as const, made: ['first'] },
    { setting: 'always' as const, made: ['first', 'second'] },
  ])('makeOnArrival: $setting', async ({ setting, made }) => {
    await using site = await Site.start(setting)
    const mail = await site.login()
    await asked(site, mail)
    await deliverNotes(mail, 'INBOX', 'second')
    await site.idle()
    expect(site.made).toEqual(made)
  })
  test('what others put into the mailbox is made when it is found', async () => {
    await using site = await Site.start()
    const mail = await site.login()
    await asked(site, mail)
    const view = await opened(mail)
    const registry = site.fixture.host.registry
    const key = await mail.keyOf(view.at, never)
    // Another program: no edit of this process's table.
    await using other = mailFixture({ driver: site.driver, clock: site.clock })
    await deliverNotes(await other.login(), 'INBOX', 'from outside')
    expect(site.made).toEqual(['first'])
    const open = (await registry.borrow(key))!
    open.touched()
    registry.release(open)
    await view.sync(never)
    await site.idle()
    expect(site.made).toEqual(['first', 'from outside'])
  })
  test('after a power failure they are right, whether they were written or not', async () => {
    const site = await Site.start()
    const mail = await site.login()
    await asked(site, mail)
    await deliverNotes(mail, 'INBOX', 'second')
    await site.idle()
    await deliverNotes(mail, 'INBOX', 'third')
    await using after = new Site('asked', site)
    expect(await subjects(await opened(await after.login()))).toEqual(['first', 'second', 'third'])
    expect(after.made).toEqual(['third'])
    await site[Symbol.asyncDispose]()
  })
  test('what was left undone goes on when the mailbox is opened the next time', async () => {
    const site = await Site.start()
    const mail = await site.login()
    await asked(site, mail)
    await deliverNotes(mail, 'INBOX', 'second')
    await site.idle()
    await deliverNotes(mail, 'INBOX', 'third', 'fourth')
    await site[Symbol.asyncDispose]()
    expect(site.made).toEqual(['first', 'second'])
    await using after = new Site('asked', site)
    await opened(await after.login())
    await after.idle()
    expect(after.made).toEqual(['third', 'fourth'])
  })
  test.each(['asked', 'facts-0', 'asked of the account'])('a garbled %s costs time only', async (which) => {
    const site = await Site.start()
    await asked(site, await site.login())
    await site[Symbol.asyncDispose]()
    const state = '/home/.mailwright'
    const [folder] = await site.files.list(`${state}/mailboxes`)
    const path = which === 'asked of the account' ? `${state}/asked` : `${state}/mailboxes/${folder!.name}/${which}`
    const file = await site.files.open(path, { write: true })
    const { size } = await file.stat()
    expect(size).toBeGreaterThan(0)
    await file.write([new Uint8Array(size).fill(0x7b)], 0)
    await file.close()
    await using after = new Site('asked', site)
    const mail = await after.login()
    const view = await opened(mail)
    expect(await subjects(view)).toEqual(['first'])
    await deliverNotes(mail, 'INBOX', 'second')
    await after.idle()
    expect(after.made).toEqual(which === 'facts-0' ? ['first', 'second'] : ['second'])
    await view.sync(never)
    expect(await subjects(view)).toEqual(['first', 'second'])
  })
  test.each([
    { name: 'as they lie', how: 'copy' as const, more: '', made: [] },
    { name: 'as they lie, which then are removed', how: 'move' as const, more: '', made: [] },
    { name: 'and changed on the way', how: 'copy' as const, more: 'x', made: ['first', 'second'] },
  ])('those of messages that are copied $name', async ({ how, more, made }) => {
    await using site = await Site.start('asked', [taking(more)])
    const mail = await site.login()
    await asked(site, mail)
    await deliverNotes(mail, 'INBOX', 'second')
    await site.idle()
    await mail.create(named('Copies'), { specialUse: [] }, never)
    const target = await opened(mail, 'Copies')
    const view = await opened(mail)
    site.made.length = 0
    await view.copy(view.resolve({ pairs: Uint32Array.of(1, 0xffffffff) }, 'seq'), target.at, how, never)
    await site.idle()
    expect(site.made).toEqual(made)
    await target.sync(never)
    expect(await subjects(target)).toEqual(['first', 'second'])
    expect(site.made).toEqual(made)
  })
  test('nothing is made after the host was closed, and no timer is left', async () => {
    const site = await Site.start('always')
    const mail = await site.login()
    await opened(mail)
    await deliverNotes(mail, 'INBOX', 'one')
    expect(site.clock.waiting).toBeGreaterThan(0)
    await site[Symbol.asyncDispose]()
    expect(site.clock.waiting).toBe(0)
    await site.idle()
    expect(site.made).toEqual([])
  })
})
