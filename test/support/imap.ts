import { COMPAT_SETTINGS, DEFAULT_TWEAKS, IMAP_SETTINGS, CLOCK, imapExtensions, sealDeriver } from '../../core/api/index.js'
import type { CompatSettings, Entry, Handover, ImapExtension, ImapExtensionAbout, ImapSettings, LoginGate, MailAccess, MailUser, PeerFacts, Plugin, Tweaks, Workaround } from '../../core/api/index.js'
import { IMAP2BIS, MAILBOX_REFERRALS, imap2bisAbout, mailboxReferralsAbout } from '../../core/imapd/about.js'
import { baseEntry } from '../../core/imapd/base.js'
import { ExtensionAssembly } from '../../core/imapd/extensions/assembly.js'
import { Imap4 } from '../../core/imapd/imap4.js'
import { imap2bis, mailboxReferrals } from '../../core/imapd/old-dialects.js'
import { bodystructureDeriver, envelopeDeriver, partMapDeriver } from '../../core/mime/facts.js'
import { threadingDeriver } from '../../core/mime/threading.js'
import { deriverTable } from '../../core/mail/view/deriving.js'
import { memoryLinkPair } from './memory-link.js'
import { SystemFiles } from '../../core/os/files.js'
import { dialects } from '../../core/session/dialects.js'
import childrenPlugin from '../../plugins/imap/children/index.js'
import condstorePlugin from '../../plugins/imap/condstore/index.js'
import enablePlugin from '../../plugins/imap/enable/index.js'
import idPlugin from '../../plugins/imap/id/index.js'
import idlePlugin from '../../plugins/imap/idle/index.js'
import literalPlugin from '../../plugins/imap/literal-plus/index.js'
import movePlugin from '../../plugins/imap/move/index.js'
import multiappendPlugin from '../../plugins/imap/multiappend/index.js'
import namespacePlugin from '../../plugins/imap/namespace/index.js'
import saslIrPlugin from '../../plugins/imap/sasl-ir/index.js'
import scanPlugin from '../../plugins/imap/scan/index.js'
import sortThreadPlugin from '../../plugins/imap/sort-thread/index.js'
import uidplusPlugin from '../../plugins/imap/uidplus/index.js'
import unselectPlugin from '../../plugins/imap/unselect/index.js'
import { LoggedLines, gateFor, tableBackend } from './auth.js'
import { contributedTo } from './contributed.js'
import { ScriptClient } from './imap-client.js'
import { RunningSessions } from './running-sessions.js'
import type { Cut } from './imap-client.js'
import { alice, mailFixture, memoryAbout } from './mail.js'
import type { MailFixture, MailOverrides, StillClock } from './mail.js'

export const testImapSettings: ImapSettings = {
  greetingVersion: 'none',
  timeouts: { preloginMs: 180_000, inactivityMs: 1_800_000, inputMs: 300_000, alertMs: 60_000, shutdownMs: 60_000, idlePollMs: 60_000, idleCheckpointMs: 900_000 },
  alert: { systemFile: '', userFile: '' },
  shutdownFile: '',
  maxBadCommands: 0,
}
const TLS: NonNullable<PeerFacts['tls']> = { protocol: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', bindings: {} }
const extensionPlugins: readonly Plugin[] = [
  literalPlugin, saslIrPlugin, idlePlugin, uidplusPlugin, namespacePlugin, childrenPlugin, unselectPlugin, idPlugin, enablePlugin, movePlugin, multiappendPlugin, condstorePlugin, scanPlugin, sortThreadPlugin,
]

type ExtensionEntry = Entry<ImapExtension, ImapExtensionAbout>
/** What a test may want different. */
export interface ImapOptions {
  readonly settings?: Partial<ImapSettings>
  readonly dialect?: CompatSettings['dialect']
  /** Names of extensions to leave out. */
  readonly without?: readonly string[]
  readonly more?: readonly ExtensionEntry[]
  readonly workarounds?: readonly Workaround[]
  readonly tweaks?: Partial<Tweaks>
  readonly mail?: MailOverrides
  readonly gate?: LoginGate
  /** Passwords by name, instead of those of alice and bob. */
  readonly users?: Readonly<Record<string, string>>
  /** Passwords are taken in clear; TLS is then not asked for. Default: yes. */
  readonly plaintext?: boolean
}
/** One link to the server. */
export interface LinkChoice {
  readonly cut?: Cut
  readonly tls?: 'none' | 'offered' | 'on'
}

/** A server of one host over the memory driver: real daemon, real mail, real gate, links in memory. */
export class ImapFixture implements AsyncDisposable {
  readonly mail: MailFixture
  readonly imap: Imap4
  readonly log = new LoggedLines()
  readonly settings: ImapSettings
  readonly #gate: LoginGate
  readonly #tweaks: Tweaks
  readonly #running: RunningSessions
  readonly #stopping = new AbortController()
  #sessions = 0

  private constructor(mail: MailFixture, imap: (f: { readonly log: LoggedLines }) => Imap4, settings: ImapSettings, options: ImapOptions) {
    this.mail = mail
    this.settings = settings
    this.#running = new RunningSessions(this.log)
    this.imap = imap(this)
    const { gate } = gateFor({
      backends: [tableBackend(options.users ?? { alice: 'secret', bob: 'secret' })],
      settings: { plaintext: options.plaintext === false ? 'encrypted-only' : 'always', failureDelayMs: 0 },
    })
    this.#gate = options.gate ?? gate
    this.#tweaks = { ...DEFAULT_TWEAKS, ...options.tweaks }
  }
  static async make(options: ImapOptions = {}): Promise<ImapFixture> {
    const derivers = deriverTable([sealDeriver(envelopeDeriver), sealDeriver(bodystructureDeriver), sealDeriver(partMapDeriver), sealDeriver(threadingDeriver)])
    const mail = mailFixture({ derivers, ...options.mail })
    const settings: ImapSettings = { ...testImapSettings, ...options.settings }
    const made = await contributedTo(imapExtensions, extensionPlugins, new Map<string, unknown>([[CLOCK.id, mail.clock], [IMAP_SETTINGS.id, settings], [COMPAT_SETTINGS.id, { dialect: options.dialect ?? 'faq' }]]))
    const core = [
      { name: IMAP2BIS, plugin: 'core-imapd', about: imap2bisAbout, made: imap2bis },
      { name: MAILBOX_REFERRALS, plugin: 'core-imapd', about: mailboxReferralsAbout, made: mailboxReferrals },
    ]
    const entries = [...made, ...core, ...(options.more ?? [])].filter((e) => !(options.without ?? []).includes(e.name))
    const workarounds = options.workarounds ?? []
    const assembly = new ExtensionAssembly(baseEntry, entries, workarounds, { drivers: [memoryAbout], sidecars: true, layers: [] })
    const make = ({ log }: { readonly log: LoggedLines }): Imap4 =>
      new Imap4({
        host: { id: 'default', serverName: 'mail.example.org' },
        settings,
        dialect: dialects[options.dialect ?? 'faq'],
        logger: log,
        clock: mail.clock,
        files: new SystemFiles(undefined),
        random: (octets) => new Uint8Array(octets).fill(0xab),
        assembly,
        workarounds,
        drivers: [memoryAbout],
      })
    return new ImapFixture(mail, make, settings, options)
  }
  get clock(): StillClock {
    return this.mail.clock
  }

  /** A link that the server greets; both halves run, as the composition root runs them. */
  connect({ cut, tls = 'none' }: LinkChoice = {}): ScriptClient {
    const peer: Partial<PeerFacts> = { session: `s${++this.#sessions}`, ...(tls === 'offered' ? { startTls: true } : {}), ...(tls === 'on' ? { tls: TLS } : {}) }
    const pair = memoryLinkPair({ peer, stopping: this.#stopping.signal, ...(tls === 'offered' ? { tls: TLS } : {}) })
    this.#running.add(pair.server, this.#serve(pair.server))
    return new ScriptClient(pair.client, cut)
  }
  /** A link that is somebody's before it begins. */
  preauthenticated(user: MailUser = alice): ScriptClient {
    const pair = memoryLinkPair({ peer: { session: `s${++this.#sessions}` } })
    const from: Handover = {
      sessionId: 'x', host: 'default', plan: '1', login: { kind: 'in', user, authcid: user.name, alerts: [] }, peer: pair.server.peer,
      client: { address: '127.0.0.1', id: new Map(), commands: [] }, unread: new Uint8Array(0), slots: new Map(),
    }
    this.#running.add(pair.server, this.mail.login(user).then((mail) => this.imap.serve(pair.server, from, mail, this.#tweaks)))
    return new ScriptClient(pair.client)
  }
  /** A session of a user, greeted and logged in. */
  async session(user = 'alice', choice: LinkChoice = {}): Promise<ScriptClient> {
    const client = this.connect(choice)
    await client.line()
    await client.command('login', `LOGIN ${user} secret`)
    return client
  }
  /** As when the process is told to end. */
  stop(): void {
    this.#stopping.abort()
  }
  /** The mail of a user, to set a scene. */
  access(user: MailUser = alice): Promise<MailAccess & AsyncDisposable> {
    return this.mail.login(user)
  }
  /** Lines of the log so far. */
  get logged(): readonly string[] {
    return this.log.lines
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.end()
    await this.mail[Symbol.asyncDispose]()
  }

  async #serve(link: ReturnType<typeof memoryLinkPair>['server']): Promise<void> {
    for (;;) {
      const handover = await this.imap.greet(link, this.#gate, this.#tweaks)
      if (handover === undefined) break
      await using mail = await this.mail.door.open(handover.login.user, new AbortController().signal)
      const ended = await this.imap.serve(link, { ...handover, sessionId: link.peer.session ?? '', host: 'default', plan: '1' }, mail, this.#tweaks)
      if (ended === 'ended') break
    }
    await link.close()
  }
}
