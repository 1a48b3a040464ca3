import { CLOCK, DEFAULT_TWEAKS, HOST, LOGGER, pop3Extensions, POP3_SETTINGS, RANDOM, sealDeriver } from '../../core/api/index.js'
import type { CompatSettings, LoginGate, MailAccess, MaildropLocks, MailboxSource, MailUser, PeerFacts, Plugin, Pop3Settings, Tweaks, Workaround } from '../../core/api/index.js'
import { envelopeDeriver } from '../../core/mime/facts.js'
import { deriverTable } from '../../core/mail/view/deriving.js'
import { memoryLinkPair } from './memory-link.js'
import { SystemFiles } from '../../core/os/files.js'
import { baseEntry } from '../../core/pop3d/base.js'
import { Pop3Assembly } from '../../core/pop3d/extensions.js'
import { MachineMaildropLocks } from '../../core/pop3d/maildrop-locks.js'
import { Pop3 } from '../../core/pop3d/pop3.js'
import { dialects } from '../../core/session/dialects.js'
import apopPlugin from '../../plugins/pop3/apop/index.js'
import capabilitiesPlugin from '../../plugins/pop3/capabilities/index.js'
import langPlugin from '../../plugins/pop3/lang/index.js'
import uidlPlugin from '../../plugins/pop3/uidl/index.js'
import utf8Plugin from '../../plugins/pop3/utf8/index.js'
import { LoggedLines, gateFor, tableBackend } from './auth.js'
import { contributedTo } from './contributed.js'
import { ScriptClient } from './imap-client.js'
import { RunningSessions } from './running-sessions.js'
import type { Cut } from './imap-client.js'
import { alice, item, mailFixture, named, never, note, once, testSettings } from './mail.js'
import type { MailFixture, MailOverrides, StillClock } from './mail.js'

const testPop3Settings: Pop3Settings = {
  greetingVersion: 'none',
  timeouts: { preloginMs: 180_000, inactivityMs: 600_000, giveWayMs: 300_000 },
  statusHeader: true,
  expungeFlagged: false,
  loginDelayMs: 180_000,
  enforceLoginDelay: false,
  expire: 'never',
  externalForOwner: true,
}
const TLS: NonNullable<PeerFacts['tls']> = { protocol: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', bindings: {} }
const pop3Plugins: readonly Plugin[] = [capabilitiesPlugin, uidlPlugin, apopPlugin, langPlugin, utf8Plugin]

/** What a test may want different. */
export interface Pop3Options {
  readonly settings?: Partial<Pop3Settings>
  readonly dialect?: CompatSettings['dialect']
  /** Settings of extensions by name. */
  readonly extensions?: Readonly<Record<string, object>>
  readonly without?: readonly string[]
  readonly workarounds?: readonly Workaround[]
  readonly tweaks?: Partial<Tweaks>
  readonly mail?: MailOverrides
  readonly gate?: LoginGate
  /** Passwords are taken in clear. Default: yes. */
  readonly plaintext?: boolean
}
/** One link to the server. */
export interface Pop3LinkChoice {
  readonly cut?: Cut
  readonly tls?: 'none' | 'offered' | 'on'
}

/** A server of one host over the memory driver: real daemon, real mail, real gate, links in memory. */
export class Pop3Fixture implements AsyncDisposable {
  readonly mail: MailFixture
  readonly pop3: Pop3
  readonly log: LoggedLines
  readonly locks: MaildropLocks
  readonly #gate: LoginGate
  readonly #tweaks: Tweaks
  readonly #running: RunningSessions
  readonly #stopping = new AbortController()
  #sessions = 0

  private constructor(mail: MailFixture, pop3: Pop3, log: LoggedLines, locks: MaildropLocks, gate: LoginGate, tweaks: Tweaks) {
    this.mail = mail
    this.pop3 = pop3
    this.log = log
    this.locks = locks
    this.#running = new RunningSessions(log)
    this.#gate = gate
    this.#tweaks = tweaks
  }
  static async make(options: Pop3Options = {}): Promise<Pop3Fixture> {
    const mail = mailFixture({ derivers: deriverTable([sealDeriver(envelopeDeriver)]), ...options.mail })
    const settings: Pop3Settings = { ...testPop3Settings, ...options.settings }
    const log = new LoggedLines()
    const host = { id: 'default', serverName: 'mail.example.org' }
    const random = (octets: number): Uint8Array => new Uint8Array(octets).fill(0xab)
    const given = new Map<string, unknown>([[CLOCK.id, mail.clock], [POP3_SETTINGS.id, settings], [LOGGER.id, log], [RANDOM.id, random], [HOST.id, host]])
    const entries = (await contributedTo(pop3Extensions, pop3Plugins, given, options.extensions)).filter((e) => !(options.without ?? []).includes(e.name))
    const files = new SystemFiles(undefined)
    // Homes of the fixture are not on the disk: the lock among processes is not to be had, as where there is no state folder.
    const mailbox = { ...testSettings, stateDirectory: '' }
    const locks = new MachineMaildropLocks(files, mail.clock, log)
    const pop3 = new Pop3({
      host,
      settings,
      dialect: dialects[options.dialect ?? 'faq'],
      mailbox,
      locks,
      logger: log,
      clock: mail.clock,
      random,
      assembly: new Pop3Assembly(baseEntry, entries),
      workarounds: options.workarounds ?? [],
    })
    const { gate } = gateFor({
      backends: [tableBackend({ alice: 'secret', bob: 'secret', 'spaced': ' a b ' })],
      settings: { plaintext: options.plaintext === false ? 'encrypted-only' : 'always', failureDelayMs: 0 },
    })
    return new Pop3Fixture(mail, pop3, log, locks, options.gate ?? gate, { ...DEFAULT_TWEAKS, ...options.tweaks })
  }
  get clock(): StillClock {
    return this.mail.clock
  }

  /** A link that the server greets; both halves run, as the composition root runs them. */
  connect({ cut, tls = 'none' }: Pop3LinkChoice = {}): ScriptClient {
    const peer: Partial<PeerFacts> = { session: `s${++this.#sessions}`, service: 'pop', ...(tls === 'offered' ? { startTls: true } : {}), ...(tls === 'on' ? { tls: TLS } : {}) }
    const pair = memoryLinkPair({ peer, stopping: this.#stopping.signal, ...(tls === 'offered' ? { tls: TLS } : {}) })
    this.#running.add(pair.server, this.#serve(pair.server))
    return new ScriptClient(pair.client, cut)
  }
  /** A session of a user, greeted and logged in. */
  async session(user = 'alice', choice: Pop3LinkChoice = {}): Promise<ScriptClient> {
    const client = this.connect(choice)
    await client.line()
    await client.send(`USER ${user}\r\n`)
    await client.line()
    await client.send('PASS secret\r\n')
    await client.line()
    return client
  }
  stop(): void {
    this.#stopping.abort()
  }
  /** The mail of a user, to set a scene or to see what became of it. */
  access(user: MailUser = alice): Promise<MailAccess & AsyncDisposable> {
    return this.mail.login(user)
  }
  /** Delivers messages to INBOX: texts with LF, or subjects of short ones. */
  async deliver(...texts: readonly string[]): Promise<void> {
    await using mail = await this.access()
    const items = texts.map((text) => (text.includes('\n') || text === '' ? item(text) : note(text)))
    await mail.append(await mail.locate(named('INBOX'), 'append', never), once(...items), never)
  }
  /** Subjects, with S for seen and D for deleted, as IMAP would see them now. */
  async inbox(): Promise<readonly string[]> {
    await using mail = await this.access()
    const view = await mail.open(await mail.locate(named('INBOX'), 'examine', never), 'read-only', never)
    const found: string[] = []
    const all = view.resolve({ pairs: Uint32Array.of(1, Math.max(1, view.announced)) }, 'seq')
    for await (const batch of view.read(all, { bytes: 'whole', sections: [], facts: [] }, never)) {
      for (const message of batch) {
        const octets = new Uint8Array(message.bytes.size)
        await message.bytes.read(0, octets, never)
        const row = view.rows.find(message.uid)
        const system = view.rows.flagSets[view.rows.flags[row] ?? 0]?.system ?? 0
        found.push(`${/^Subject: (.*)\r$/m.exec(Buffer.from(octets).toString('latin1'))?.[1] ?? '?'}${(system & 1) === 0 ? '' : ' S'}${(system & 2) === 0 ? '' : ' D'}`)
      }
    }
    await view.close(never)
    return found
  }
  /** The source behind alice's open INBOX, for failures to be put into. */
  async openSource(): Promise<MailboxSource> {
    await using mail = await this.access()
    const shared = await this.mail.host.registry.borrow(await mail.keyOf(await mail.locate(named('INBOX'), 'open', never), never))
    if (shared === undefined) throw new Error('INBOX is not open')
    this.mail.host.registry.release(shared)
    return shared.source
  }
  get logged(): readonly string[] {
    return this.log.lines
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.end()
    await this.mail[Symbol.asyncDispose]()
  }

  async #serve(link: ReturnType<typeof memoryLinkPair>['server']): Promise<void> {
    const handover = await this.pop3.greet(link, this.#gate, this.#tweaks)
    if (handover !== undefined) {
      await using mail = await this.mail.door.open(handover.login.user, new AbortController().signal)
      await this.pop3.serve(link, { ...handover, sessionId: link.peer.session ?? '', host: 'default', plan: '1' }, mail, this.#tweaks)
    }
    await link.close()
  }
}
