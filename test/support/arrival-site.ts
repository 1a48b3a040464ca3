import { setImmediate } from 'node:timers/promises'
import { expect } from 'vitest'
import { ENVELOPE, sealDeriver, type FactDeriver, type MailAccess, type MailboxSettings, type MailboxView, type StoreLayer } from '../../core/api/index.js'
import { SegmentPool } from '../../core/mail/cache/fact-store.js'
import { stateKeeper } from '../../core/mail/registry/state-folders.js'
import { deriverTable, type Derivers } from '../../core/mail/view/deriving.js'
import { envelopeDeriver } from '../../core/mime/facts.js'
import { VirtualFiles } from '../../core/testing/disk/virtual-files.js'
import { MemoryDriver } from '../../plugins/drivers/memory/store.js'
import { QuietLogger, StillClock, deliverNotes, mailFixture, named, never, testSettings } from './mail.js'

/** Mail in memory whose state lies on a disk; `made` says of which messages envelopes were made, by anybody. */
export class Site {
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

/** A view of a mailbox that may be changed. */
export async function opened(mail: MailAccess, name = 'INBOX'): Promise<MailboxView> {
  return mail.open(await mail.locate(named(name), 'open', never), 'read-write', never)
}

/** As FETCH ENVELOPE of all. */
export async function subjects(view: MailboxView): Promise<readonly string[]> {
  const out: string[] = []
  view.take({ expunge: true })
  for await (const batch of view.read(view.resolve({ pairs: Uint32Array.of(1, 0xffffffff) }, 'seq'), { bytes: 'none', sections: [], facts: [ENVELOPE] }, never)) {
    for (const m of batch) out.push(subjectOf(m.fact!(ENVELOPE)!))
  }
  return out
}

/** A client fetches the envelope of the first message, which is kept. */
export async function asked(site: Site, mail: MailAccess): Promise<void> {
  await deliverNotes(mail, 'INBOX', 'first')
  const view = await opened(mail)
  await subjects(view)
  await view.close(never)
  await site.idle()
  expect(site.made).toEqual(['first'])
}
