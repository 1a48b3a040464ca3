import { LOGIN_GATE } from '../api/index.js'
import type { LoginGate, PeerFacts, Protocol } from '../api/index.js'
import type { HostView } from '../kernel/kernel.js'
import { DomainGate } from './domain-gate.js'
import { protocolOf } from './sessions.js'
import type { HostFinder } from './sessions.js'

/** A host with its service of the session's protocol. */
export interface Served {
  readonly host: HostView
  readonly entry: Protocol
}

/**
 * The hosts that have a part in one session, up to the login and after it. Each is held until the session's end: a dialogue may still run on
 * one when another has taken over.
 */
export class SessionHosts implements AsyncDisposable {
  readonly #hostOf: HostFinder
  readonly #protocol: string
  readonly #peer: () => PeerFacts
  readonly #holds = new Map<HostView, Disposable>()
  #now: Served
  /** The one that the connection came to. */
  readonly first: Served
  /** Leads to the gates of all hosts. */
  readonly gate: LoginGate

  /** @param peer of the link as it is now; it knows more after TLS. */
  constructor(hostOf: HostFinder, protocol: string, peer: () => PeerFacts) {
    this.#hostOf = hostOf
    this.#protocol = protocol
    this.#peer = peer
    this.first = this.#now = this.#enter(peer(), undefined)
    this.gate = new DomainGate({
      gateFor: (at, domain) => {
        this.#now = this.#enter(at, domain)
        return this.#now.host.get(LOGIN_GATE)
      },
    })
  }

  /** The host whose gate was asked last: whose login an outcome is. */
  get now(): Served {
    return this.#now
  }

  /** The session is over, or nobody is logged in any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const [host, hold] of this.#holds) {
      await host.get(LOGIN_GATE).ended?.(this.#peer())
      hold[Symbol.dispose]()
    }
    this.#holds.clear()
  }

  #enter(peer: PeerFacts, domain: string | undefined): Served {
    const host = this.#hostOf({ localAddress: peer.localAddress, serverName: peer.tls?.serverName, domain })
    const found = protocolOf(host, this.#protocol)
    if (found === undefined) throw new Error(`host ${host.id} does not serve ${this.#protocol}`)
    if (!this.#holds.has(host)) this.#holds.set(host, host.hold())
    return { host, entry: found.made }
  }
}
