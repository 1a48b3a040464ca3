import type { HopOutcome, LoginGate, LoginOutcome, LoginRetries, PeerFacts, Secret, SessionHops, Verdict } from '../api/index.js'

type In = Extract<LoginOutcome, { kind: 'in' }>

/**
 * A gate behind which the mail is opened before the client hears that it is in: a client that was told OK has its mail, and one whose mail
 * cannot be opened is told that instead of losing its connection.
 */
export class OpeningGate implements LoginGate {
  readonly #inner: LoginGate
  readonly #open: (login: In) => Promise<void>
  readonly #hops: SessionHops | undefined
  readonly mechanisms: LoginGate['mechanisms']
  readonly plaintext: NonNullable<LoginGate['plaintext']>
  readonly offers: NonNullable<LoginGate['offers']>

  /** @param open opens the mail and keeps it; what it throws is what the login throws. */
  constructor(inner: LoginGate, open: (login: In) => Promise<void>, hops?: SessionHops) {
    this.#inner = inner
    this.#open = open
    this.#hops = hops
    this.mechanisms = (peer) => inner.mechanisms(peer)
    this.plaintext = (peer) => inner.plaintext === undefined || inner.plaintext(peer)
    this.offers = (mechanism, peer) => (inner.offers === undefined ? inner.mechanisms(peer).includes(mechanism) : inner.offers(mechanism, peer))
  }
  sasl(
    mechanism: string,
    initial: Uint8Array | undefined,
    ask: (challenge: Uint8Array) => Promise<Uint8Array>,
    peer: PeerFacts,
    signal: AbortSignal,
    retries?: LoginRetries,
  ): Promise<LoginOutcome> {
    return this.#opened(mechanism, () => this.#inner.sasl(mechanism, initial, ask, peer, signal, retries))
  }
  password(user: string, password: Secret, peer: PeerFacts, signal: AbortSignal, retries?: LoginRetries): Promise<LoginOutcome> {
    return this.#opened('LOGIN', () => this.#inner.password(user, password, peer, signal, retries))
  }
  change(user: string, old: Secret, password: Secret, signal: AbortSignal): Promise<Verdict> {
    return this.#inner.change(user, old, password, signal)
  }

  async #opened(how: string, attempt: () => Promise<LoginOutcome>): Promise<LoginOutcome> {
    const mark = this.#hops?.begin('login', how) ?? 0
    let result: HopOutcome = 'error'
    try {
      const outcome = await attempt()
      if (outcome.kind === 'in') await this.#open(outcome)
      result = outcome.kind === 'in' ? 'ok' : 'no'
      return outcome
    } finally {
      this.#hops?.end('login', mark, result, 0)
    }
  }
}
