import { randomBytes } from 'node:crypto'
import { LOGIN_GATE, MailError, saslMechanisms } from '../../api/index.js'
import type { LoginGate, LoginOutcome, Logger, PeerFacts } from '../../api/index.js'
import type { ConfigPlan } from '../../config/plan/types.js'
import type { HostView, Kernel } from '../../kernel/kernel.js'
import { decodePeer, encodeOutcome, retriesValue, secretValue } from '../../processes/values.js'
import { DomainGate } from '../domain-gate.js'
import { HostChoice, hostOf } from '../host-choice.js'
import { failureOf } from './failures.js'
import type { GateAsk, GateTell } from './messages.js'

/** What the authenticator says besides its answers: whose a session is. */
export interface Grant {
  readonly token: string
  readonly session: string
  readonly host: string
  readonly login: unknown
}
const TOKEN_OCTETS = 24

/** The authenticator's side: runs the hosts' gates for what the front asks. The front has fewer rights, so all of it is checked. */
export class GateService {
  readonly #kernel: Kernel<ConfigPlan>
  readonly #choice: HostChoice
  readonly #logger: Logger
  readonly #tell: (tell: GateTell) => void
  readonly #grant: (grant: Grant) => Promise<boolean>
  readonly #running = new Map<number, Running>()
  /** Connections and sessions whose end the gates are told. */
  readonly #peers = new Map<string, PeerFacts>()

  constructor(kernel: Kernel<ConfigPlan>, logger: Logger, tell: (tell: GateTell) => void, grant: (grant: Grant) => Promise<boolean>) {
    this.#kernel = kernel
    this.#choice = new HostChoice(kernel.plan.hosts)
    this.#logger = logger
    this.#tell = tell
    this.#grant = grant
  }

  hear(ask: GateAsk): void {
    const running = this.#running.get(ask.id)
    switch (ask.call) {
      case 'cancel':
        return running?.stop.abort(new MailError('cancelled', 'the client broke the login off'))
      case 'gone':
        return this.ended(ask.session)
      case 'answer':
        return running?.answered(Buffer.from(ask.octets, 'base64'))
      default:
        if (running === undefined) void this.#serve(ask)
    }
  }

  /** A connection or a session is over. */
  ended(session: string): void {
    const peer = this.#peers.get(session)
    this.#peers.delete(session)
    // A dialogue may have passed from one host to another.
    if (peer !== undefined) for (const host of this.#kernel.hosts.values()) void host.get(LOGIN_GATE).ended?.(peer)
  }

  async #serve(ask: Exclude<GateAsk, { call: 'answer' | 'cancel' | 'gone' }>): Promise<void> {
    const running = new Running((octets) => this.#tell({ id: ask.id, say: 'challenge', octets: Buffer.from(octets).toString('base64') }))
    this.#running.set(ask.id, running)
    try {
      const peer = decodePeer(ask.peer)
      if (peer.session !== undefined) this.#peers.set(peer.session, peer)
      if (ask.call === 'offer') {
        const gate = this.#hostOf(peer, undefined).get(LOGIN_GATE)
        await gate.prepare?.(running.stop.signal)
        const hidden = this.#hostOf(peer, undefined).entries(saslMechanisms).filter(({ about }) => about.hidden === true && gate.offers?.(about.name, peer) === true)
        this.#tell({ id: ask.id, say: 'offer', mechanisms: gate.mechanisms(peer), hidden: hidden.map(({ about }) => about.name.toUpperCase()), plaintext: gate.plaintext?.(peer) ?? true })
        return
      }
      const { outcome, host } = await this.#login(ask, peer, running)
      const token = outcome.kind === 'in' ? randomBytes(TOKEN_OCTETS).toString('base64url') : undefined
      const wire = encodeOutcome(outcome)
      // The grant is with the process that gives out sessions before the front can ask for one.
      if (token !== undefined && !(await this.#grant({ token, session: peer.session ?? '', host: host.id, login: wire }))) throw new MailError('unavailable', 'sessions cannot be had')
      this.#tell({ id: ask.id, say: 'outcome', outcome: wire, ...(token === undefined ? {} : { token }) })
    } catch (error) {
      this.#fail(ask.id, error)
    } finally {
      this.#running.delete(ask.id)
      running.end()
    }
  }

  async #login(ask: Extract<GateAsk, { call: 'password' | 'sasl' }>, peer: PeerFacts, running: Running): Promise<{ outcome: LoginOutcome; host: HostView }> {
    const retries = retriesValue.parse(ask.retries)
    let host = this.#hostOf(peer, undefined)
    const gateFor = (from: PeerFacts, domain: string | undefined): LoginGate => {
      host = this.#hostOf(from, domain)
      return host.get(LOGIN_GATE)
    }
    const gate = new DomainGate({ gateFor })
    const given = Object.fromEntries(Object.entries(retries).filter(([, value]) => value !== undefined))
    const { signal } = running.stop
    const outcome =
      ask.call === 'password'
        ? await gate.password(ask.user, secretValue.parse(ask.password), peer, signal, given)
        : await gate.sasl(ask.mechanism, ask.initial === undefined ? undefined : Buffer.from(ask.initial, 'base64'), running.ask, peer, signal, given)
    return { outcome, host }
  }

  #hostOf(peer: PeerFacts, domain: string | undefined): HostView {
    return hostOf(this.#choice, this.#kernel.hosts, { localAddress: peer.localAddress, serverName: peer.tls?.serverName, domain })
  }
  #fail(id: number, error: unknown): void {
    if (!(error instanceof MailError)) this.#logger.error('a login failed for a reason of our own', { error })
    this.#tell({ id, say: 'failure', ...failureOf(error) })
  }
}

/** A login under way. */
class Running {
  readonly stop = new AbortController()
  readonly #challenge: (octets: Uint8Array) => void
  #waiting: { readonly resolve: (answer: Uint8Array) => void; readonly reject: (reason: unknown) => void } | undefined

  constructor(challenge: (octets: Uint8Array) => void) {
    this.#challenge = challenge
    this.stop.signal.addEventListener('abort', () => this.#waiting?.reject(this.stop.signal.reason), { once: true })
  }
  readonly ask = (challenge: Uint8Array): Promise<Uint8Array> => {
    if (this.stop.signal.aborted) return Promise.reject(this.stop.signal.reason)
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#challenge(challenge)
    })
  }
  answered(octets: Uint8Array): void {
    this.#waiting?.resolve(octets)
    this.#waiting = undefined
  }
  end(): void {
    this.#waiting = undefined
  }
}
