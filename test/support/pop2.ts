import type { LoginGate } from '../../core/api/index.js'
import { memoryLinkPair } from './memory-link.js'
import { Pop2 } from '../../plugins/protocols/pop2/pop2.js'
import { LoggedLines, gateFor, tableBackend } from './auth.js'
import { ScriptClient, settle } from './imap-client.js'
import type { Cut } from './imap-client.js'
import { never, testSettings } from './mail.js'
import { Pop3Fixture } from './pop3.js'

/** POP2 over the mail of a POP3 fixture. */
export class Pop2Server implements AsyncDisposable {
  readonly pop3: Pop3Fixture
  readonly log = new LoggedLines()
  readonly #pop2: Pop2
  readonly #gate: LoginGate
  readonly #links: { abort(reason: string): void }[] = []
  readonly #running: Promise<void>[] = []
  private constructor(pop3: Pop3Fixture, plaintext: 'always' | 'encrypted-only') {
    this.pop3 = pop3
    this.#pop2 = new Pop2({ serverName: 'mail.example.org', mailbox: { ...testSettings, stateDirectory: '' }, locks: pop3.locks, giveWayMs: 300_000, extensions: [], preloginMs: 180_000, inactivityMs: 1_800_000, clock: pop3.clock, logger: this.log })
    this.#gate = gateFor({ backends: [tableBackend({ alice: 'se cret' })], settings: { plaintext, failureDelayMs: 0 } }).gate
  }
  static async make(plaintext: 'always' | 'encrypted-only' = 'always'): Promise<Pop2Server> {
    return new Pop2Server(await Pop3Fixture.make(), plaintext)
  }
  connect(cut?: Cut): ScriptClient {
    const pair = memoryLinkPair({ peer: { session: 's1', service: 'pop' } })
    this.#links.push(pair.server)
    this.#running.push(this.#serve(pair.server))
    return new ScriptClient(pair.client, cut)
  }
  /** The links end, as when a client or its network goes. */
  drop(): void {
    for (const link of this.#links) link.abort('the client has gone')
  }
  async #serve(link: ReturnType<typeof memoryLinkPair>['server']): Promise<void> {
    const from = await this.#pop2.greet(link, this.#gate)
    if (from !== undefined) {
      await using mail = await this.pop3.mail.door.open(from.login.user, never)
      await this.#pop2.serve(link, { ...from, sessionId: '', host: 'default', plan: '1' }, mail)
    }
    await link.close()
  }
  async [Symbol.asyncDispose](): Promise<void> {
    for (const link of this.#links) link.abort('the test is over')
    await Promise.all(this.#running)
    await settle(2)
    await this.pop3[Symbol.asyncDispose]()
  }
}
