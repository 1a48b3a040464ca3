import type { Admission, LoginPolicy, PeerFacts, Refusal, UserDirectory } from '../../api/auth.js'
import type { Entry } from '../../api/kernel.js'
import { MailError } from '../../api/mail/error.js'
import type { MailUser } from '../../api/mail/names.js'
import { isNameLike } from './claims.js'
import type { LoginLog } from './login-log.js'

/** What became of a proof: let in as this user, or not. */
export type Admitted =
  | { readonly kind: 'in'; readonly user: MailUser; readonly alerts: readonly string[] }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'referral'; readonly url: string }

/** Who proved what: `authcid` gave the proof, `authzid` is whose mail is wanted; empty when it is the same. */
export interface Identity {
  readonly authcid: string
  readonly authzid: string
  readonly peer: PeerFacts
}

/** From a proof to a session: the account, the rules that hold for all hosts, and the host's policies. */
export class Admissions {
  readonly #directories: readonly Entry<UserDirectory, undefined>[]
  readonly #policies: readonly LoginPolicy[]
  readonly #log: LoginLog
  constructor(directories: readonly Entry<UserDirectory, undefined>[], policies: readonly LoginPolicy[], log: LoginLog) {
    this.#directories = directories
    this.#policies = policies
    this.#log = log
  }

  /** Before a proof is looked at; undefined: go on. */
  async before(user: string, peer: PeerFacts, signal: AbortSignal): Promise<Exclude<Admitted, { kind: 'in' }> | undefined> {
    for (const policy of this.#policies) {
      const answer = await this.#guarded(signal, async () => policy.before?.(user, peer, signal))
      if (answer !== undefined && answer.kind !== 'allow') return stopped(answer)
    }
    return undefined
  }

  /** After the proof. */
  async decide(identity: Identity, signal: AbortSignal): Promise<Admitted> {
    const { authcid, authzid, peer } = identity
    const wanted = authzid === '' ? authcid : authzid
    const user = await this.find(wanted, signal)
    if (user === undefined) return refused('unknown-user')
    // An administrator needs an account too, of any uid; only the one whose mail it is may not be uid 0.
    const proved = wanted === authcid ? user : await this.find(authcid, signal)
    const acting = proved?.name !== user.name
    const answer = isSuperuser(user) || (acting && proved === undefined) ? refused('not-permitted') : await this.#askPolicies(user, identity, acting, signal)
    if (acting) this.#log.override({ user: wanted, auth: authcid, peer }, answer.kind === 'in')
    return answer
  }

  /** Anonymous users have an account only where a directory gives them one. */
  async decideAnonymous(trace: string, home: string | undefined, peer: PeerFacts, signal: AbortSignal): Promise<Admitted> {
    const account = home === undefined ? await this.find('anonymous', signal) : { name: 'anonymous', home, facts: {} }
    const user: MailUser = { name: 'anonymous', ...account, kind: 'anonymous', facts: { ...account?.facts, trace } }
    if (isSuperuser(user)) return refused('not-permitted')
    return await this.#askPolicies(user, { authcid: 'anonymous', authzid: '', peer }, false, signal)
  }

  /** The first directory that knows the name. */
  async find(name: string, signal: AbortSignal): Promise<MailUser | undefined> {
    if (!isNameLike(name)) return undefined
    for (const directory of this.#directories) {
      const found = await this.#guarded(signal, () => directory.made.find(name, signal))
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Tells the policies of a refusal; what they throw is contained. */
  failed(user: string, refusal: Refusal, peer: PeerFacts): void {
    for (const policy of this.#policies) {
      try {
        policy.failed?.(user, refusal, peer)
      } catch (error) {
        this.#log.contained('login policy', error)
      }
    }
  }

  /** Tells the policies that a session has ended, or did not come about. */
  ended(peer: PeerFacts): void {
    for (const policy of this.#policies) {
      try {
        policy.ended?.(peer)
      } catch (error) {
        this.#log.contained('login policy', error)
      }
    }
  }

  async #askPolicies(user: MailUser, identity: Identity, acting: boolean, signal: AbortSignal): Promise<Admitted> {
    const alerts: string[] = []
    let vouched = false
    for (const policy of this.#policies) {
      const answer = await this.#guarded(signal, async () => policy.decide?.({ ...identity, user }, signal))
      if (answer === undefined) continue
      if (answer.kind !== 'allow') return stopped(answer)
      if (answer.alerts !== undefined) alerts.push(...answer.alerts)
      vouched ||= answer.vouches === true
    }
    if (acting && !vouched) return refused('not-permitted')
    return { kind: 'in', user, alerts }
  }

  /** A directory or policy that cannot answer is an outage: letting in or turning away would both be guesses. */
  async #guarded<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      if (signal.aborted) throw new MailError('cancelled', 'the session ended during login', { cause: error })
      throw new MailError('unavailable', `login: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }
}

/** Every account with uid 0 is refused, whatever its password. */
function isSuperuser(user: MailUser): boolean {
  return user.ids?.uid === 0
}
function refused(kind: Refusal['kind']): Admitted {
  return { kind: 'refused', refusal: { kind } }
}
function stopped(answer: Exclude<Admission, { kind: 'allow' }>): Exclude<Admitted, { kind: 'in' }> {
  return answer.kind === 'refuse' ? { kind: 'refused', refusal: answer.refusal } : answer
}
