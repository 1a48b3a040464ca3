import type {
  BackendAbout,
  Claim,
  CredentialKind,
  Held,
  LoginGate,
  LoginOutcome,
  LoginPolicy,
  LoginRetries,
  LoginRoute,
  MechanismAbout,
  PasswordBackend,
  PeerFacts,
  SaslContext,
  SaslMechanism,
  SaslResult,
  UserDirectory,
  Verdict,
} from '../../api/auth.js'
import type { AuthSettings, HostFacts } from '../../api/host.js'
import type { Clock, Entry, Logger, Secret } from '../../api/kernel.js'
import { MailError } from '../../api/mail/error.js'
import { Admissions, type Admitted } from './admission.js'
import { Attempts } from './attempts.js'
import { BackendChain, type Proof } from './backend-chain.js'
import { isOversizedName, splitAdministrator } from './claims.js'
import { holdRefusal } from './equal-time.js'
import { accountName } from './login-names.js'
import { LoginLog } from './login-log.js'

/** What the gate of a host is made of. */
export interface GateParts {
  readonly mechanisms: readonly Entry<SaslMechanism, MechanismAbout>[]
  readonly backends: readonly Entry<PasswordBackend, BackendAbout>[]
  readonly directories: readonly Entry<UserDirectory, undefined>[]
  readonly policies: readonly LoginPolicy[]
  readonly settings: AuthSettings
  readonly host: HostFacts
  readonly logger: Logger
  readonly clock: Clock
}

/** One attempt to log in, as it goes. */
interface Attempt {
  readonly peer: PeerFacts
  readonly signal: AbortSignal
  readonly retries: LoginRetries
  /** When the client had said the last thing: refusals are timed from here. */
  since: number
  /** For the log, as typed. */
  user: string
  auth: string
  /** The name that the policies were asked about. */
  asked: string | undefined
  /** Why it was refused, when that is not what the mechanism says. */
  stopped: Exclude<Admitted, { kind: 'in' }> | undefined
  /** The gate where the dialogue began, when the user belongs to another host. */
  entered: HostLoginGate | undefined
  /** The gate of the host to which the user turned out to belong; undefined until somebody is named. */
  home: HostLoginGate | undefined
  /** Name that a backend has accepted: it is told when no session comes of it. */
  accepted: string | undefined
  /** A password that was accepted on the way, for backends that learn. */
  learnable: { readonly user: string; readonly password: Secret } | undefined
  alerts: readonly string[]
  /** Whoever accepted the claim or handed out the credential. */
  by: Proof['by'] | undefined
}
/** An attempt that ended well, before the account was looked at. */
type Proved = Extract<Awaited<ReturnType<SaslMechanism['authenticate']>>, { kind: 'proved' }>

/**
 * Who may come in, for all protocols of a host.
 *
 * To the outside all refusals are one: the same answer after the same time. An outage is none of them: it throws
 * `unavailable` at once. A cancelled dialogue (`ask` rejects) throws what `ask` threw.
 */
export class HostLoginGate implements LoginGate {
  readonly #mechanisms: readonly Entry<SaslMechanism, MechanismAbout>[]
  readonly #chain: BackendChain
  readonly #admissions: Admissions
  readonly #attempts: Attempts
  readonly #log: LoginLog
  readonly #settings: AuthSettings
  readonly #host: HostFacts
  readonly #clock: Clock
  readonly #ready = new Map<Entry<SaslMechanism, MechanismAbout>, boolean>()
  /** Logins of open sessions whose backend wants to hear of their end, by the name of the session. */
  readonly #releasable = new Map<string, { readonly user: string; readonly by: Proof['by'] }>()
  readonly #errands = new Set<Promise<void>>()
  readonly #closing = new AbortController()

  constructor(parts: GateParts) {
    this.#chain = new BackendChain(parts.backends)
    this.#mechanisms = parts.mechanisms
    this.#log = new LoginLog(parts.logger)
    this.#admissions = new Admissions(parts.directories, parts.policies, this.#log)
    this.#attempts = new Attempts(parts.settings.maxAttempts)
    this.#settings = parts.settings
    this.#host = parts.host
    this.#clock = parts.clock
  }

  readonly mechanisms = (peer: PeerFacts): readonly string[] => this.#mechanisms.filter((m) => m.about.hidden !== true && this.#isOffered(m, peer)).map((m) => m.about.name)

  readonly offers = (mechanism: string, peer: PeerFacts): boolean => this.#find(mechanism, peer) !== undefined

  readonly plaintext = (peer: PeerFacts): boolean => this.#allowsPlaintext(peer) && this.#chain.verifies('password')

  async sasl(
    mechanism: string,
    initial: Uint8Array | undefined,
    ask: (challenge: Uint8Array) => Promise<Uint8Array>,
    peer: PeerFacts,
    signal: AbortSignal,
    retries: LoginRetries = {},
    route?: LoginRoute,
  ): Promise<LoginOutcome> {
    const entry = this.#find(mechanism, peer)
    if (entry === undefined) {
      this.#log.mechanismUnknown(mechanism.toUpperCase(), peer)
      throw new MailError('unsupported', 'this mechanism is not offered here')
    }
    return await this.#attempt(peer, signal, retries, (attempt) => this.#dialogue(attempt, entry, initial, ask, route))
  }

  password(user: string, password: Secret, peer: PeerFacts, signal: AbortSignal, retries: LoginRetries = {}): Promise<LoginOutcome> {
    return this.#attempt(peer, signal, retries, async (attempt) => {
      attempt.home = this
      if (user.toLowerCase() === ANONYMOUS.toLowerCase() && this.offers(ANONYMOUS, peer)) return await this.#loginAnonymous(attempt, password)
      const { authcid, authzid } = splitAdministrator(user)
      attempt.user = authzid === '' ? authcid : authzid
      attempt.auth = authcid
      if (await this.#isStopped(attempt, this.#accountOf(authcid))) return await this.#out(attempt, attempt.stopped ?? throttled, undefined)
      if (!this.#allowsPlaintext(peer)) return await this.#out(attempt, plaintextDisabled, undefined)
      const verdict = await this.#verify(attempt, { kind: 'password', user: authcid, password })
      if (verdict.kind !== 'accepted') return await this.#out(attempt, attempt.stopped ?? { kind: 'refused', refusal: verdict }, undefined)
      const admitted = await this.#admit(attempt, { kind: 'proved', authcid: verdict.user, authzid, alerts: [] })
      if (admitted.kind !== 'in') return await this.#out(attempt, admitted, undefined)
      this.#log.loggedIn(admitted.user.name, peer)
      return this.#in(attempt, admitted, verdict.user)
    })
  }

  async prepare(signal: AbortSignal): Promise<void> {
    const ask = async (m: Entry<SaslMechanism, MechanismAbout>): Promise<void> => {
      const ready = await m.made.ready?.(signal).catch(() => undefined)
      if (ready !== undefined) this.#ready.set(m, ready)
    }
    await Promise.all([this.#chain.refresh(signal), ...this.#mechanisms.filter((m) => m.made.ready !== undefined).map(ask)])
  }

  ended(peer: PeerFacts): Promise<void> {
    this.#admissions.ended(peer)
    const login = peer.session === undefined ? undefined : this.#releasable.get(peer.session)
    if (login !== undefined && peer.session !== undefined) {
      this.#releasable.delete(peer.session)
      this.#release(login.by, login.user)
    }
    return Promise.resolve()
  }

  async change(user: string, old: Secret, password: Secret, signal: AbortSignal): Promise<Verdict> {
    const since = this.#clock.steady()
    const peer: PeerFacts = { address: '', localAddress: '', localPort: 0, service: 'change' }
    const proof = await this.#chain.verify({ kind: 'password', user, password: old }, peer, signal)
    if ('verdict' in proof) return await this.#chain.change(proof, password, signal)
    this.#log.refused({ user, auth: user, peer }, proof.kind)
    await holdRefusal(this.#clock, since, this.#settings.failureDelayMs, signal)
    return proof
  }

  /** Lets what backends are learning and letting go of come to its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await Promise.all(this.#errands)
  }

  async #dialogue(
    attempt: Attempt,
    { made, about: { name } }: Entry<SaslMechanism, MechanismAbout>,
    initial: Uint8Array | undefined,
    ask: (challenge: Uint8Array) => Promise<Uint8Array>,
    route: LoginRoute | undefined,
  ): Promise<LoginOutcome> {
    const askAndNote = async (challenge: Uint8Array): Promise<Uint8Array> => {
      const answer = await ask(challenge)
      attempt.since = this.#clock.steady()
      return answer
    }
    const settle = async (user: string | undefined): Promise<HostLoginGate> => (attempt.home ??= await this.#routed(attempt, name, user, route))
    const result = await made.authenticate(this.#context(attempt, initial, askAndNote, settle))
    if (result.kind === 'anonymous') return await this.#admitAnonymous(attempt, result, name)
    const home = attempt.home ?? (result.kind === 'proved' ? await settle(result.authcid) : this)
    return await home.#conclude(attempt, result, name, askAndNote)
  }

  /** From what the mechanism found to the outcome, on the host of the user. */
  async #conclude(
    attempt: Attempt,
    result: Exclude<Awaited<ReturnType<SaslMechanism['authenticate']>>, { kind: 'anonymous' }>,
    mechanism: string,
    ask: (challenge: Uint8Array) => Promise<Uint8Array>,
  ): Promise<LoginOutcome> {
    if (attempt.stopped !== undefined) return await this.#out(attempt, attempt.stopped, mechanism)
    if (result.kind !== 'proved') return await this.#out(attempt, { kind: 'refused', refusal: result }, mechanism)
    const admitted = await this.#admit(attempt, result)
    if (admitted.kind !== 'in') return await this.#out(attempt, admitted, mechanism)
    // RFC 3501 has no success data: it goes as a challenge, to which the answer is empty (RFC 4422 §3.6).
    if (result.data !== undefined && (await ask(result.data)).length > 0) {
      return await this.#out(attempt, { kind: 'refused', refusal: { kind: 'malformed' } }, mechanism)
    }
    this.#log.authenticated(admitted.user.name, mechanism, attempt.peer)
    return { ...this.#in(attempt, admitted, result.authcid), ...(result.layer === undefined ? {} : { layer: result.layer }) }
  }

  /** The gate of the host to which a name belongs. One that does not offer the mechanism lets nobody in by it. */
  async #routed(attempt: Attempt, mechanism: string, user: string | undefined, route: LoginRoute | undefined): Promise<HostLoginGate> {
    const gate = user === undefined ? this : (route?.(user) ?? this)
    if (!(gate instanceof HostLoginGate) || gate === this) return this
    await gate.prepare(attempt.signal)
    // Guesses that are spread over several hosts are guesses of one client.
    if (this.#attempts.isExhausted(attempt.peer)) attempt.stopped = throttled
    else if (!gate.offers(mechanism, attempt.peer)) attempt.stopped = notOffered
    attempt.entered = this
    return gate
  }

  #find(mechanism: string, peer: PeerFacts): Entry<SaslMechanism, MechanismAbout> | undefined {
    const wanted = mechanism.toUpperCase()
    return this.#mechanisms.find((m) => m.about.name.toUpperCase() === wanted && this.#isOffered(m, peer))
  }
  #isServed(about: MechanismAbout): boolean {
    if (about.verifiesBy.length === 0 && about.worksWith.length === 0) return true
    return about.verifiesBy.some((kind) => this.#chain.verifies(kind)) || about.worksWith.some((kind) => this.#chain.holds(kind.id))
  }
  #isOffered(m: Entry<SaslMechanism, MechanismAbout>, peer: PeerFacts): boolean {
    const { about } = m
    // One that has to be asked is not offered before it was.
    if (m.made.ready !== undefined && this.#ready.get(m) !== true) return false
    return this.#isServed(about) && (!about.exposesPassword || this.#allowsPlaintext(peer)) && about.offered(peer)
  }
  /** Loopback is a link like any other: who listens there is not known. */
  #allowsPlaintext(peer: PeerFacts): boolean {
    const { plaintext } = this.#settings
    return plaintext === 'always' || (plaintext === 'encrypted-only' && peer.tls !== undefined)
  }

  /** Runs an attempt; a backend that has accepted a name hears of it when no session begins. */
  async #attempt(peer: PeerFacts, signal: AbortSignal, retries: LoginRetries, run: (attempt: Attempt) => Promise<LoginOutcome>): Promise<LoginOutcome> {
    const attempt: Attempt = {
      peer, signal, retries, since: this.#clock.steady(), user: '???', auth: '???', asked: undefined, stopped: undefined,
      entered: undefined, home: undefined, by: undefined, accepted: undefined, learnable: undefined, alerts: [],
    }
    let outcome: LoginOutcome | undefined
    try {
      outcome = await run(attempt)
      return outcome
    } catch (error) {
      // The client is told to come again; why stands here alone.
      if (error instanceof MailError && error.kind === 'unavailable') this.#log.unavailable(attempt, error)
      throw error
    } finally {
      const { home = this, by, accepted } = attempt
      if (outcome?.kind !== 'in' && by !== undefined && accepted !== undefined) home.#release(by, accepted)
    }
  }

  #context(
    attempt: Attempt,
    initial: Uint8Array | undefined,
    ask: (challenge: Uint8Array) => Promise<Uint8Array>,
    settle: (user: string | undefined) => Promise<HostLoginGate>,
  ): SaslContext {
    return {
      peer: attempt.peer,
      hostName: this.#host.serverName,
      signal: attempt.signal,
      initial,
      ask,
      offers: (name) => this.mechanisms(attempt.peer).includes(name),
      verify: async (claim) => {
        if ('user' in claim) attempt.user = attempt.auth = claim.user
        return await (await settle('user' in claim ? claim.user : undefined)).#verify(attempt, claim)
      },
      lookup: async <T>(user: string, kind: CredentialKind<T>): Promise<Held<T> | undefined> => {
        attempt.user = attempt.auth = user
        return await (await settle(user)).#lookUp(attempt, user, kind)
      },
    }
  }

  async #lookUp<T>(attempt: Attempt, user: string, kind: CredentialKind<T>): Promise<Held<T> | undefined> {
    const account = this.#accountOf(user)
    if (await this.#isStopped(attempt, account)) return undefined
    const found = await this.#chain.lookup(account, kind, attempt.signal)
    attempt.by = found?.by
    return found
  }

  /** The account that a login name means on this host. */
  #accountOf(typed: string): string {
    return this.#settings.names === undefined || typed === '' ? typed : accountName(typed, this.#settings.names)
  }

  async #verify(attempt: Attempt, made: Claim): Promise<Verdict> {
    const claim = 'user' in made ? { ...made, user: this.#accountOf(made.user) } : made
    if (await this.#isStopped(attempt, 'user' in claim ? claim.user : attempt.auth)) return { kind: 'throttled' }
    const proof = await this.#chain.verify(claim, attempt.peer, attempt.signal, attempt.retries)
    if (!('verdict' in proof)) return proof
    attempt.accepted = proof.verdict.user
    if (proof.claim.kind === 'password') attempt.learnable = { user: proof.verdict.user, password: proof.claim.password }
    attempt.alerts = proof.verdict.alerts
    attempt.by = proof.by
    return proof.verdict
  }

  /** The tests that come before any backend is asked. */
  async #isStopped(attempt: Attempt, user: string): Promise<boolean> {
    if (attempt.stopped !== undefined) return true
    if (isOversizedName(user) || isOversizedName(attempt.user)) {
      this.#log.breakIn({ ...attempt, user: attempt.user })
      this.#attempts.exhaust(attempt.peer)
    }
    if (this.#attempts.isExhausted(attempt.peer)) attempt.stopped = throttled
    else if (attempt.asked !== user) attempt.stopped = await this.#admissions.before(user, attempt.peer, attempt.signal)
    attempt.asked = user
    return attempt.stopped !== undefined
  }

  async #admit(attempt: Attempt, proved: Proved): Promise<Admitted> {
    attempt.auth = proved.authcid
    attempt.user = proved.authzid === '' ? proved.authcid : proved.authzid
    // A mechanism that asks nobody (EXTERNAL) has not met these tests yet.
    // Nor has it asked a backend how the name is spelt.
    const authcid = attempt.by === undefined ? this.#accountOf(proved.authcid) : proved.authcid
    if (await this.#isStopped(attempt, authcid)) return attempt.stopped ?? throttled
    const admitted = await this.#admissions.decide({ authcid, authzid: this.#accountOf(proved.authzid), peer: attempt.peer }, attempt.signal)
    if (admitted.kind !== 'in') return admitted
    return { ...admitted, alerts: [...new Set([...attempt.alerts, ...proved.alerts, ...admitted.alerts])] }
  }

  /** LOGIN anonymous: what is said in place of the password is a trace (RFC 4505 §2), if it can be read at all. */
  async #loginAnonymous(attempt: Attempt, password: Secret): Promise<LoginOutcome> {
    const nobody = (): Promise<never> => Promise.reject(new MailError('cancelled', 'LOGIN has one message'))
    const result = await this.#find(ANONYMOUS, attempt.peer)?.made.authenticate(this.#context(attempt, password.reveal(), nobody, () => Promise.resolve(this)))
    if (result?.kind === 'anonymous') return await this.#admitAnonymous(attempt, result, undefined)
    return await this.#out(attempt, { kind: 'refused', refusal: { kind: 'malformed' } }, undefined)
  }

  async #admitAnonymous(attempt: Attempt, result: Extract<SaslResult, { kind: 'anonymous' }>, mechanism: string | undefined): Promise<LoginOutcome> {
    attempt.user = attempt.auth = ANONYMOUS.toLowerCase()
    if (await this.#isStopped(attempt, attempt.auth)) return await this.#out(attempt, attempt.stopped ?? throttled, mechanism)
    const admitted = await this.#admissions.decideAnonymous(result.trace, result.home, attempt.peer, attempt.signal)
    if (admitted.kind !== 'in') return await this.#out(attempt, admitted, mechanism)
    this.#log.anonymous(result.trace, mechanism, attempt.peer)
    return this.#in(attempt, admitted, attempt.auth)
  }

  #in(attempt: Attempt, admitted: Extract<Admitted, { kind: 'in' }>, authcid: string): Extract<LoginOutcome, { kind: 'in' }> {
    this.#attempts.forget(attempt.peer)
    const { session } = attempt.peer
    if (session !== undefined && attempt.by?.made.released !== undefined) this.#releasable.set(session, { user: authcid, by: attempt.by })
    if (attempt.learnable !== undefined) this.#teach(attempt.learnable.user, attempt.learnable.password)
    return { kind: 'in', user: admitted.user, authcid, alerts: admitted.alerts }
  }

  /** Not awaited by the login: a rehash takes as long as the check did. */
  #teach(user: string, password: Secret): void {
    const failed = (backend: string, error: unknown): void => this.#log.contained(`password backend "${backend}": learn`, error)
    this.#send(this.#chain.learn(user, password, this.#closing.signal, failed))
  }
  #release(by: Proof['by'], user: string): void {
    this.#send(this.#chain.release(by, user, (backend, error) => this.#log.contained(`password backend "${backend}": released`, error)))
  }
  /** What goes on without anybody who waits, until the host closes. */
  #send(errand: Promise<void>): void {
    const run = errand.finally(() => this.#errands.delete(run))
    this.#errands.add(run)
  }

  async #out(attempt: Attempt, why: Exclude<Admitted, { kind: 'in' }>, mechanism: string | undefined): Promise<LoginOutcome> {
    if (why.kind === 'referral') return { kind: 'out', referral: why.url }
    if (why === throttled) this.#log.excessive(attempt)
    else if (why === plaintextDisabled) this.#log.disabled(attempt)
    else this.#log.refused(attempt, why.refusal.kind)
    if (mechanism !== undefined) this.#log.mechanismFailed(mechanism, attempt.peer)
    this.#attempts.countFailure(attempt.peer)
    if (attempt.entered !== undefined) attempt.entered.#attempts.countFailure(attempt.peer)
    this.#admissions.failed(this.#accountOf(attempt.auth), why.refusal, attempt.peer)
    this.#admissions.ended(attempt.peer)
    await holdRefusal(this.#clock, attempt.since, this.#settings.failureDelayMs, attempt.signal)
    return { kind: 'out' }
  }
}

/** RFC 4505; a LOGIN with this name asks for it too, where it is offered. */
const ANONYMOUS = 'ANONYMOUS'
/** The gate's own refusals, which have log lines of their own. */
const throttled: Extract<Admitted, { kind: 'refused' }> = { kind: 'refused', refusal: { kind: 'throttled' } }
const notOffered: Extract<Admitted, { kind: 'refused' }> = { kind: 'refused', refusal: { kind: 'disabled' } }
const plaintextDisabled: Extract<Admitted, { kind: 'refused' }> = { kind: 'refused', refusal: { kind: 'disabled' } }
