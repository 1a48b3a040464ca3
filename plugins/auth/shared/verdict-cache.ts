import { createHmac, randomBytes } from 'node:crypto'
import type { Claim, Clock, PasswordBackend, PeerFacts, Verdict } from 'mailwright/api'

/** How long and how many accepted claims are remembered; 0 ms: none. */
export interface CacheSettings {
  readonly forMs: number
  readonly entries: number
}

/**
 * Remembers what a backend accepted, for clients that log in every few seconds. Refusals are never remembered, so a new password works
 * at once; an old one works until its time is up. Kept are digests under a key of this process, never what was said.
 */
class VerdictCache {
  readonly #settings: CacheSettings
  readonly #clock: Clock
  readonly #key = randomBytes(32)
  readonly #known = new Map<string, { readonly verdict: Verdict; readonly until: number }>()
  constructor(settings: CacheSettings, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
  }

  async through(claim: Claim, peer: PeerFacts, ask: () => Promise<Verdict>): Promise<Verdict> {
    const digest = this.#settings.forMs > 0 ? this.#digest(claim, peer) : undefined
    if (digest === undefined) return await ask()
    const known = this.#known.get(digest)
    if (known !== undefined && known.until > this.#clock.steady()) return known.verdict
    this.#known.delete(digest)
    const verdict = await ask()
    if (verdict.kind === 'accepted') this.#remember(digest, verdict)
    return verdict
  }

  /** Somebody has a new password: what was accepted before counts no more. */
  forget(): void {
    this.#known.clear()
  }
  get size(): number {
    return this.#known.size
  }

  #remember(digest: string, verdict: Verdict): void {
    this.#known.set(digest, { verdict, until: this.#clock.steady() + this.#settings.forMs })
    if (this.#known.size > this.#settings.entries) {
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest)
        break
      }
    }
  }

  #digest(claim: Claim, peer: PeerFacts): string | undefined {
    const said = claim.kind === 'password' ? claim.password : claim.kind === 'token' ? claim.token : undefined
    if (said === undefined || !('user' in claim)) return undefined
    const text = JSON.stringify([claim.kind, claim.user, peer.service, peer.address, peer.localAddress])
    return createHmac('sha256', this.#key).update(text).update('\0').update(said.reveal()).digest('base64')
  }
}

/** A backend whose `verify` goes through a cache. */
export function withCache<B extends PasswordBackend & { verify: NonNullable<PasswordBackend['verify']> }>(backend: B, settings: CacheSettings, clock: Clock): B {
  const cache = new VerdictCache(settings, clock)
  const verify = backend.verify.bind(backend)
  const change = backend.change?.bind(backend)
  backend.verify = (claim, peer, signal) => cache.through(claim, peer, () => verify(claim, peer, signal))
  if (change !== undefined) {
    backend.change = (user, password, signal) => {
      cache.forget()
      return change(user, password, signal)
    }
  }
  return backend
}
