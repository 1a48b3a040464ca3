import type { PeerFacts } from '../../api/auth.js'

/** Sessions whose failures are remembered; beyond that the oldest is forgotten, which costs an attacker as many connections as it wins. */
const REMEMBERED_SESSIONS = 10_000

/**
 * Failed logins of each session. A session that has used up its attempts stays open and can never log in.
 *
 * Sessions are told apart by `peer.session`; where a caller gives none, by the facts object itself.
 */
export class Attempts {
  readonly #max: number
  readonly #bySession = new Map<string, number>()
  readonly #byPeer = new WeakMap<PeerFacts, number>()

  /** @param max failures that are allowed; 0 sets no limit */
  constructor(max: number) {
    this.#max = max
  }

  isExhausted(peer: PeerFacts): boolean {
    return this.#max > 0 && this.#failures(peer) >= this.#max
  }

  countFailure(peer: PeerFacts): void {
    this.#set(peer, this.#failures(peer) + 1)
  }

  /** For attacks: nothing more is tried in this session. */
  exhaust(peer: PeerFacts): void {
    this.#set(peer, Number.POSITIVE_INFINITY)
  }

  /** The session has logged in. */
  forget(peer: PeerFacts): void {
    if (peer.session === undefined) this.#byPeer.delete(peer)
    else this.#bySession.delete(peer.session)
  }

  #failures(peer: PeerFacts): number {
    return (peer.session === undefined ? this.#byPeer.get(peer) : this.#bySession.get(peer.session)) ?? 0
  }

  #set(peer: PeerFacts, failures: number): void {
    if (peer.session === undefined) {
      this.#byPeer.set(peer, failures)
      return
    }
    // Taken out first, so that the order of the map is the order of the last failure.
    this.#bySession.delete(peer.session)
    this.#bySession.set(peer.session, failures)
    if (this.#bySession.size > REMEMBERED_SESSIONS) {
      for (const oldest of this.#bySession.keys()) {
        this.#bySession.delete(oldest)
        break
      }
    }
  }
}
