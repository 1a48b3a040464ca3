import type { LoginGate, LoginOutcome } from '../api/index.js'

type In = Extract<LoginOutcome, { kind: 'in' }>

/** A gate that remembers who came in, so that any command that logs in works the same for the handover. */
export class RecordingGate implements LoginGate {
  readonly #inner: LoginGate
  readonly mechanisms: LoginGate['mechanisms']
  readonly plaintext?: NonNullable<LoginGate['plaintext']>
  readonly offers?: NonNullable<LoginGate['offers']>
  admitted: In | undefined

  constructor(inner: LoginGate) {
    this.#inner = inner
    this.mechanisms = (peer) => inner.mechanisms(peer)
    if (inner.plaintext !== undefined) this.plaintext = (peer) => inner.plaintext?.(peer) ?? false
    if (inner.offers !== undefined) this.offers = (mechanism, peer) => inner.offers?.(mechanism, peer) ?? false
  }
  async sasl(...how: Parameters<LoginGate['sasl']>): Promise<LoginOutcome> {
    return this.#note(await this.#inner.sasl(...how))
  }
  async password(...how: Parameters<LoginGate['password']>): Promise<LoginOutcome> {
    return this.#note(await this.#inner.password(...how))
  }
  change(...how: Parameters<LoginGate['change']>): ReturnType<LoginGate['change']> {
    return this.#inner.change(...how)
  }
  #note(outcome: LoginOutcome): LoginOutcome {
    if (outcome.kind === 'in') this.admitted = outcome
    return outcome
  }
}

/** After a login there is no gate: nothing is offered and nobody comes in. */
export const closedGate: LoginGate = {
  mechanisms: () => [],
  plaintext: () => false,
  sasl: async () => ({ kind: 'out' }),
  password: async () => ({ kind: 'out' }),
  change: async () => ({ kind: 'disabled' }),
}
