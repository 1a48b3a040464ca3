import type { LoginGate, LoginOutcome, LoginRetries, PeerFacts, Secret, Verdict } from '../api/index.js'
import { domainOf } from './host-choice.js'

const PLAIN = 'PLAIN'
const NUL = 0

/** What a gate in front of several hosts needs. */
export interface DomainGateNeeds {
  /** The gate for a connection, and for a user name once it is known; the host it belongs to is the one that serves the session. */
  readonly gateFor: (peer: PeerFacts, domain: string | undefined) => LoginGate
}

/**
 * One gate in front of those of all hosts. LOGIN and PLAIN name the user before anything is checked, so the domain of the name can
 * choose the host; other mechanisms run on the host of the address or the TLS name.
 */
export class DomainGate implements LoginGate {
  readonly #needs: DomainGateNeeds

  constructor(needs: DomainGateNeeds) {
    this.#needs = needs
  }

  readonly mechanisms = (peer: PeerFacts): readonly string[] => this.#needs.gateFor(peer, undefined).mechanisms(peer)
  readonly plaintext = (peer: PeerFacts): boolean => {
    const gate = this.#needs.gateFor(peer, undefined)
    return gate.plaintext === undefined || gate.plaintext(peer)
  }
  readonly offers = (mechanism: string, peer: PeerFacts): boolean => this.#needs.gateFor(peer, undefined).offers?.(mechanism, peer) === true

  async sasl(
    mechanism: string,
    initial: Uint8Array | undefined,
    ask: (challenge: Uint8Array) => Promise<Uint8Array>,
    peer: PeerFacts,
    signal: AbortSignal,
    retries?: LoginRetries,
  ): Promise<LoginOutcome> {
    const first = this.#needs.gateFor(peer, undefined)
    // Without the mechanism on this link nobody may be asked for a password.
    if (mechanism.toUpperCase() !== PLAIN || !first.mechanisms(peer).includes(PLAIN)) return first.sasl(mechanism, initial, ask, peer, signal, retries)
    const response = initial ?? (await ask(new Uint8Array(0)))
    return this.#needs.gateFor(peer, domainOf(plainUser(response))).sasl(mechanism, response, ask, peer, signal, retries)
  }

  password(user: string, password: Secret, peer: PeerFacts, signal: AbortSignal, retries?: LoginRetries): Promise<LoginOutcome> {
    return this.#needs.gateFor(peer, domainOf(user)).password(user, password, peer, signal, retries)
  }

  change(): Promise<Verdict> {
    // A password is changed after the login, at the gate of the session's own host.
    return Promise.resolve({ kind: 'not-permitted' })
  }
}

/** The authentication identity of `[authzid] NUL authcid NUL passwd` (RFC 4616 §2). */
function plainUser(response: Uint8Array): string {
  const from = response.indexOf(NUL) + 1
  const to = response.indexOf(NUL, from)
  return from === 0 || to === -1 ? '' : Buffer.from(response.subarray(from, to)).toString('utf8')
}
