import { MailError, type Claim, type Clock, type Logger, type PasswordBackend, type PeerFacts, type Verdict } from 'mailwright/api'
import { CallPool, type CallLimits } from '../../shared/children/call-pool.js'
import type { KerberosCalls } from './calls.js'
import { refusalOf } from './verdicts.js'

/** What its entry in the configuration says. */
export interface GssSettings extends CallLimits {
  /** Undefined: the default one of Kerberos. */
  readonly realm: string | undefined
  /** Host in the name of the service that proves the KDC. */
  readonly hostname: string
  /** The principal is `user/service`. */
  readonly serviceInPrincipal: boolean
  readonly fallthrough: boolean
}
/** Signs of a principal's name; and what is no name. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const NO_NAME = /[/@\\\x00-\x1f\x7f]/

/** Passwords checked by the KDC: a ticket is got with the password, and used with a key of this machine to see that it was the right KDC. */
export class GssBackend implements PasswordBackend, AsyncDisposable {
  readonly fallthrough: boolean
  readonly #settings: GssSettings
  readonly #logger: Logger
  readonly #pool: CallPool<KerberosCalls>

  /** @param child module of the child, when it is not the one beside this. */
  constructor(settings: GssSettings, parts: { readonly logger: Logger; readonly clock: Clock; readonly env: Readonly<Record<string, string>> }, child = new URL('./child.js', import.meta.url)) {
    this.#settings = settings
    this.#logger = parts.logger
    this.fallthrough = settings.fallthrough
    this.#pool = new CallPool<KerberosCalls>({ name: 'Kerberos', module: child, env: parts.env }, settings, parts.clock)
  }

  async verify(claim: Claim, peer: PeerFacts, signal: AbortSignal): Promise<Verdict> {
    if (claim.kind !== 'password' || claim.user === '' || NO_NAME.test(claim.user)) return { kind: 'unknown-user' }
    const password = claim.password.reveal()
    if (password.length === 0 || password.includes(0)) return { kind: 'wrong-password' }
    const { realm, hostname: host, serviceInPrincipal } = this.#settings
    const suffix = serviceInPrincipal ? `/${peer.service}` : ''
    const answer = await this.#pool.call('check', { principal: `${claim.user}${suffix}`, realm, password, service: peer.service, host }, signal)
    const { step, code, words, principal } = answer
    if (step === 'done') {
      const user = principal.endsWith(suffix) ? principal.slice(0, principal.length - suffix.length) : ''
      if (answer.isOfRealm && user !== '' && !NO_NAME.test(user)) return { kind: 'accepted', user, alerts: [] }
      this.#logger.info('Kerberos refuses', { user: claim.user, principal, words: 'the KDC answers with a principal that has no name here' })
      return { kind: 'unknown-user' }
    }
    const refusal = refusalOf(answer)
    if (refusal === undefined) throw new MailError('unavailable', step === 'kdc' ? `the KDC cannot be verified by ${peer.service}/${host}: ${words}` : `${words} (${code})`)
    this.#logger.info('Kerberos refuses', { user: claim.user, words })
    return refusal
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool[Symbol.asyncDispose]()
  }
}
