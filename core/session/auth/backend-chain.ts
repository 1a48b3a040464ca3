import type { BackendAbout, Claim, CredentialKind, Held, LoginRetries, PasswordBackend, PeerFacts, Refusal, Verdict } from '../../api/auth.js'
import type { Entry, Secret } from '../../api/kernel.js'
import { MailError } from '../../api/mail/error.js'
import { refusedUnasked, withoutLeadingSpace } from './claims.js'

type Backend = Entry<PasswordBackend, BackendAbout>
/** An accepted claim, and who accepted it with which words. */
export interface Proof {
  readonly verdict: Extract<Verdict, { kind: 'accepted' }>
  readonly by: Backend
  /** The claim as it was accepted, which may differ from the one made (a retried password). */
  readonly claim: Claim
}

/** The host's password backends in their order. An outage throws `unavailable`; it is never an answer about the user. */
export class BackendChain {
  readonly #backends: readonly Backend[]
  /** What backends said they can serve now, where that may be less than they declare. */
  readonly #serving = new Map<Backend, Pick<BackendAbout, 'verifies' | 'holds'>>()
  constructor(backends: readonly Backend[]) {
    this.#backends = backends
  }

  verifies(kind: Claim['kind']): boolean {
    return this.#backends.some((b) => this.#servedBy(b).verifies.includes(kind))
  }
  holds(credential: string): boolean {
    return this.#backends.some((b) => this.#servedBy(b).holds.some((kind) => kind.id === credential))
  }

  /** Asks what can be served now. A backend that does not answer keeps its last answer: its outage shows when it is needed. */
  async refresh(signal: AbortSignal): Promise<void> {
    await Promise.all(
      this.#backends.map(async (by) => {
        const serves = await by.made.serves?.(signal).catch(() => undefined)
        if (serves !== undefined) this.#serving.set(by, serves)
      }),
    )
  }
  #servedBy(by: Backend): Pick<BackendAbout, 'verifies' | 'holds'> {
    return this.#serving.get(by) ?? by.about
  }

  /** The claim as made, then as the client's known habits may have changed it. */
  async verify(claim: Claim, peer: PeerFacts, signal: AbortSignal, retries: LoginRetries = {}): Promise<Proof | Refusal> {
    const answer = await this.#verifyOnce(claim, peer, signal)
    if ('verdict' in answer) return answer
    for (const other of alternatives(claim, answer, retries)) {
      const second = await this.#verifyOnce(other, peer, signal)
      if ('verdict' in second) return second
    }
    return answer
  }

  async #verifyOnce(claim: Claim, peer: PeerFacts, signal: AbortSignal): Promise<Proof | Refusal> {
    const unasked = refusedUnasked(claim)
    if (unasked !== undefined) return unasked
    let refusal: Refusal | undefined
    for (const by of this.#backends) {
      if (by.made.verify === undefined || !by.about.verifies.includes(claim.kind)) continue
      const verdict = await this.#guarded(by, signal, () => by.made.verify?.(claim, peer, signal))
      if (verdict === undefined || (verdict.kind === 'unknown-user' && verdict.final !== true)) continue
      if (verdict.kind === 'accepted') return { verdict, by, claim }
      // Stop at the first wrong password. Asking the next backend would let one guess be tried against every password a user has.
      if (by.made.fallthrough !== true) return verdict
      refusal ??= verdict
    }
    return refusal ?? { kind: 'unknown-user' }
  }

  /** From the first backend that has it. */
  async lookup<T>(user: string, kind: CredentialKind<T>, signal: AbortSignal): Promise<(Held<T> & { readonly by: Backend }) | undefined> {
    for (const by of this.#backends) {
      if (by.made.lookup === undefined || !by.about.holds.some((held) => held.id === kind.id)) continue
      const found = await this.#guarded(by, signal, () => by.made.lookup?.(user, kind, signal))
      if (found !== undefined) return { ...found, by }
    }
    return undefined
  }

  /** Tells a backend that a login of its is over; a failure goes to `failed`. */
  async release(by: Backend, user: string, failed: (backend: string, error: unknown) => void): Promise<void> {
    try {
      await by.made.released?.(user)
    } catch (error) {
      failed(by.name, error)
    }
  }

  /** Asks the backend that accepted the old password. */
  async change(proof: Proof, password: Secret, signal: AbortSignal): Promise<Verdict> {
    const { by, verdict } = proof
    if (by.made.change === undefined) return { kind: 'not-permitted' }
    return (await this.#guarded(by, signal, () => by.made.change?.(verdict.user, password, signal))) ?? { kind: 'not-permitted' }
  }

  /** Hands the password of a login to every backend that wants to learn; failures go to `failed`. */
  async learn(user: string, password: Secret, signal: AbortSignal, failed: (backend: string, error: unknown) => void): Promise<void> {
    for (const by of this.#backends) {
      if (by.made.learn === undefined) continue
      try {
        await by.made.learn(user, password, signal)
      } catch (error) {
        failed(by.name, error)
      }
    }
  }

  /** Names the backend in its outage; whatever else it throws is a fault of the plugin, and for the client the same outage. */
  async #guarded<T>(by: Backend, signal: AbortSignal, ask: () => Promise<T> | undefined): Promise<T | undefined> {
    try {
      return await ask()
    } catch (error) {
      if (signal.aborted) throw new MailError('cancelled', 'the session ended while a password backend was asked', { cause: error })
      const what = error instanceof Error ? error.message : String(error)
      throw new MailError('unavailable', `password backend "${by.name}": ${what}`, { cause: error })
    }
  }
}

function alternatives(claim: Claim, refusal: Refusal, retries: LoginRetries): readonly Claim[] {
  if (claim.kind !== 'password') return []
  const out: Claim[] = []
  const lower = claim.user.toLowerCase()
  const user = retries.lowerCaseUserRetry === true && refusal.kind === 'unknown-user' && lower !== claim.user ? lower : undefined
  if (user !== undefined) out.push({ ...claim, user })
  const trimmed = retries.spacedPasswordRetry === true ? withoutLeadingSpace(claim.password) : undefined
  if (trimmed !== undefined && (refusal.kind === 'wrong-password' || user !== undefined)) out.push({ ...claim, user: user ?? claim.user, password: trimmed })
  return out
}
