import { MailError } from '../../api/index.js'
import type { LoginGate, LoginOutcome, LoginRetries, PeerFacts, Secret, Verdict } from '../../api/index.js'
import { decodeOutcome, encodePeer } from '../../processes/values.js'
import { errorOf } from './failures.js'
import type { GateAsk, GateTell } from './messages.js'

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never
/** What begins a call. */
type Question = Without<Extract<GateAsk, { call: 'offer' | 'password' | 'sasl' }>, 'id'>
type Ask = (challenge: Uint8Array) => Promise<Uint8Array>
interface Call {
  readonly ask: Ask | undefined
  readonly resolve: (tell: Extract<GateTell, { say: 'offer' | 'outcome' }>) => void
  readonly reject: (reason: unknown) => void
}
/** What a link may be offered. */
interface Offer {
  readonly mechanisms: readonly string[]
  readonly plaintext: boolean
  /** Offered without being listed. */
  readonly hidden: readonly string[]
}

/** The front's side of the authenticator: carries calls to it and its questions back. */
export class GateCalls {
  readonly #send: (ask: GateAsk) => Promise<boolean>
  readonly #calls = new Map<number, Call>()
  #last = 0

  constructor(send: (ask: GateAsk) => Promise<boolean>) {
    this.#send = send
  }

  /** @throws MailError as the authenticator threw it; `unavailable` when it is gone; what `ask` and `signal` throw. */
  call(say: Question, ask: Ask | undefined, signal: AbortSignal): Promise<Extract<GateTell, { say: 'offer' | 'outcome' }>> {
    const id = ++this.#last
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#calls.delete(id)
        signal.removeEventListener('abort', aborted)
      }
      const fail = (reason: unknown): void => {
        end()
        reject(reason)
      }
      const aborted = (): void => {
        void this.#send({ id, call: 'cancel' })
        fail(signal.reason)
      }
      if (signal.aborted) return reject(signal.reason)
      signal.addEventListener('abort', aborted, { once: true })
      this.#calls.set(id, {
        ask,
        resolve: (tell) => {
          end()
          resolve(tell)
        },
        reject: fail,
      })
      // The rest of the call is one of the three, so with its id it is that one whole.
      void this.#send({ ...say, id } as GateAsk).then((there) => {
        if (!there) fail(new MailError('unavailable', 'the authenticator is not there'))
      })
    })
  }

  /** A connection ended before anybody was served on it: counters and policies forget it. */
  gone(session: string): void {
    void this.#send({ id: ++this.#last, call: 'gone', session })
  }

  hear(tell: GateTell): void {
    const call = this.#calls.get(tell.id)
    if (call === undefined) return
    if (tell.say === 'challenge') void this.#answer(tell.id, call, Buffer.from(tell.octets, 'base64'))
    else if (tell.say === 'failure') call.reject(errorOf(tell))
    else call.resolve(tell)
  }

  /** The authenticator ended: nobody will answer any more. */
  lost(): void {
    for (const call of this.#calls.values()) call.reject(new MailError('unavailable', 'the authenticator ended'))
  }

  async #answer(id: number, call: Call, challenge: Uint8Array): Promise<void> {
    try {
      if (call.ask === undefined) throw new MailError('unsupported', 'this login has no dialogue')
      const octets = await call.ask(challenge)
      await this.#send({ id, call: 'answer', octets: Buffer.from(octets).toString('base64') })
    } catch (error) {
      void this.#send({ id, call: 'cancel' })
      call.reject(error)
    }
  }
}

/** A gate whose mechanisms, backends and accounts are in the authenticator's process. One for each connection. */
export class RemoteGate implements LoginGate {
  readonly #calls: GateCalls
  readonly #signal: AbortSignal
  readonly #tokens = new WeakMap<LoginOutcome, string>()
  #offer: Offer = { mechanisms: [], hidden: [], plaintext: false }

  constructor(calls: GateCalls, signal: AbortSignal) {
    this.#calls = calls
    this.#signal = signal
  }

  /** Learns what may be offered on the link as it is now: before the greeting, and again when TLS has begun. */
  async learn(peer: PeerFacts): Promise<void> {
    const told = await this.#calls.call({ call: 'offer', peer: encodePeer(peer) }, undefined, this.#signal)
    if (told.say === 'offer') this.#offer = { mechanisms: told.mechanisms, hidden: told.hidden, plaintext: told.plaintext }
  }
  /** What the authenticator gave beside an admission: with it, once, a session can be had. */
  tokenOf(login: LoginOutcome): string | undefined {
    return this.#tokens.get(login)
  }

  readonly mechanisms = (): readonly string[] => this.#offer.mechanisms
  readonly offers = (mechanism: string): boolean => [...this.#offer.mechanisms, ...this.#offer.hidden].includes(mechanism.toUpperCase())
  readonly plaintext = (): boolean => this.#offer.plaintext

  sasl(mechanism: string, initial: Uint8Array | undefined, ask: Ask, peer: PeerFacts, signal: AbortSignal, retries: LoginRetries = {}): Promise<LoginOutcome> {
    const first = initial === undefined ? {} : { initial: Buffer.from(initial).toString('base64') }
    return this.#outcome(this.#calls.call({ call: 'sasl', mechanism, ...first, peer: encodePeer(peer), retries }, ask, signal))
  }
  password(user: string, password: Secret, peer: PeerFacts, signal: AbortSignal, retries: LoginRetries = {}): Promise<LoginOutcome> {
    const secret = Buffer.from(password.reveal()).toString('base64')
    return this.#outcome(this.#calls.call({ call: 'password', user, password: secret, peer: encodePeer(peer), retries }, undefined, signal))
  }
  change(): Promise<Verdict> {
    // A password is changed after the login, in the process that serves it.
    return Promise.resolve({ kind: 'not-permitted' })
  }

  async #outcome(call: Promise<Extract<GateTell, { say: 'offer' | 'outcome' }>>): Promise<LoginOutcome> {
    const told = await call
    if (told.say !== 'outcome') throw new MailError('unavailable', 'the authenticator answered another question')
    const outcome = decodeOutcome(told.outcome)
    if (told.token !== undefined) this.#tokens.set(outcome, told.token)
    return outcome
  }
}
