import { MailError, type Claim, type Clock, type Logger, type PasswordBackend, type PeerFacts, type Verdict } from 'mailwright/api'
import { CallPool, type CallLimits, type Kept } from '../../shared/children/call-pool.js'
import type { PamCalls, PamQuestion } from './calls.js'
import { linesOf, refusalOf } from './verdicts.js'

/** What its entry in the configuration says. */
export interface PamSettings extends CallLimits {
  /** The PAM service; undefined: that of the protocol. */
  readonly service: string | undefined
  readonly folder: string | undefined
  readonly credentials: boolean
  readonly fallthrough: boolean
}
/** PAM_MAX_RESP_SIZE: modules cut longer answers, which could make a wrong one right. */
const MOST_PASSWORD_OCTETS = 511

/** Credentials that a login has established, and where. */
interface Established {
  readonly handle: number
  readonly kept: Kept<PamCalls>
}

/** Passwords checked by pam(3), in processes of their own. */
export class PamBackend implements PasswordBackend, AsyncDisposable {
  readonly fallthrough: boolean
  readonly #settings: PamSettings
  readonly #logger: Logger
  readonly #pool: CallPool<PamCalls>
  readonly #established = new Map<string, Established[]>()

  /** @param child module of the child, when it is not the one beside this. */
  constructor(settings: PamSettings, parts: { readonly logger: Logger; readonly clock: Clock }, child = new URL('./child.js', import.meta.url)) {
    this.#settings = settings
    this.#logger = parts.logger
    this.fallthrough = settings.fallthrough
    this.#pool = new CallPool<PamCalls>({ name: 'PAM', module: child, env: {} }, settings, parts.clock)
  }

  async verify(claim: Claim, peer: PeerFacts, signal: AbortSignal): Promise<Verdict> {
    if (claim.kind !== 'password') return { kind: 'unknown-user' }
    const password = claim.password.reveal()
    // Both become strings that end at a NUL.
    if (claim.user.includes('\0')) return { kind: 'unknown-user' }
    if (password.length > MOST_PASSWORD_OCTETS || password.includes(0)) return { kind: 'wrong-password' }
    const service = this.#settings.service ?? peer.service
    const { folder, credentials } = this.#settings
    return await this.#check({ service, folder, user: claim.user, password, remoteHost: peer.address, credentials }, signal)
  }

  async released(user: string): Promise<void> {
    const open = this.#established.get(user)
    const last = open?.pop()
    if (open?.length === 0) this.#established.delete(user)
    if (last !== undefined) await this.#release(last)
  }

  /** Deletes what is still established, and ends the children. */
  async [Symbol.asyncDispose](): Promise<void> {
    const open = [...this.#established.values()].flat()
    this.#established.clear()
    await Promise.allSettled(open.map((one) => this.#release(one)))
    await this.#pool[Symbol.asyncDispose]()
  }

  async #check(question: PamQuestion, signal: AbortSignal): Promise<Verdict> {
    const { value: answer, kept } = await this.#pool.callAndKeep('check', question, signal, ({ handle }, place) => {
      if (handle === undefined) place.letGo()
      else this.#release({ handle, kept: place }).catch((error: unknown) => this.#logger.warn('PAM credentials', { user: question.user, error }))
    })
    const { step, words, messages, user, handle } = answer
    if (handle === undefined) kept.letGo()
    else this.#established.set(user, [...(this.#established.get(user) ?? []), { handle, kept }])
    const lines = linesOf(messages)
    if (step === 'done') return { kind: 'accepted', user, alerts: lines }
    const refusal = refusalOf(answer)
    if (refusal === undefined) throw new MailError('unavailable', `PAM service "${question.service}", ${step}: ${words}${lines.map((line) => ` (${line})`).join('')}`)
    this.#logger.info('PAM refuses', { user: question.user, service: question.service, step, words, ...(lines.length === 0 ? {} : { said: lines.join(' / ') }) })
    return refusal
  }
  async #release({ handle, kept }: Established): Promise<void> {
    try {
      await kept.call('release', handle)
    } finally {
      kept.letGo()
    }
  }
}
