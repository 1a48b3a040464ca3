import type { LoginGate, LoginOutcome, LoginRetries, PeerFacts, Secret, Verdict } from '../api/index.js'
import { splitAdministrator } from '../session/auth/claims.js'
import { domainOf } from './host-choice.js'

/** What a gate in front of several hosts needs. */
export interface DomainGateNeeds {
  /** The gate for a connection, and for a user name once it is known; the host it belongs to is the one that serves the session. */
  readonly gateFor: (peer: PeerFacts, domain: string | undefined) => LoginGate
}

/**
 * One gate in front of those of all hosts: the domain of the name that logs in chooses the host.
 *
 * LOGIN brings the name with the password. A mechanism begins at the gate of the connection, since what is offered, and what is said before
 * anybody is named (a challenge with a host name, a realm), cannot depend on the name; with the first name that it brings, before any backend is
 * asked, the host of that name takes over. Not possible: a host that is chosen by the domain alone and wants a mechanism of its own, or other
 * settings of one, than the host of the address; and a choice by the authorisation identity of a mechanism, which is known at its end.
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

  sasl(
    mechanism: string,
    initial: Uint8Array | undefined,
    ask: (challenge: Uint8Array) => Promise<Uint8Array>,
    peer: PeerFacts,
    signal: AbortSignal,
    retries?: LoginRetries,
  ): Promise<LoginOutcome> {
    const route = (user: string): LoginGate => this.#needs.gateFor(peer, domainOf(user))
    return this.#needs.gateFor(peer, undefined).sasl(mechanism, initial, ask, peer, signal, retries, route)
  }

  password(user: string, password: Secret, peer: PeerFacts, signal: AbortSignal, retries?: LoginRetries): Promise<LoginOutcome> {
    const { authcid, authzid } = splitAdministrator(user)
    return this.#needs.gateFor(peer, domainOf(authcid) ?? domainOf(authzid)).password(user, password, peer, signal, retries)
  }

  change(): Promise<Verdict> {
    // A password is changed after the login, at the gate of the session's own host.
    return Promise.resolve({ kind: 'not-permitted' })
  }
}
