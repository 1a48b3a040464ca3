import type { BackendAbout, Claim, CredentialKind, Held, Logger, PasswordBackend, PeerFacts, Secret, Verdict } from 'mailwright/api'
import { credentialIn, FORM_KINDS } from '../../shared/form-backend.js'
import { formsOf, missingForms, type FurtherForm } from '../../shared/forms.js'
import { schemeName, type Hashing } from '../../shared/hashing.js'
import { formsIn } from '../../shared/password-lines.js'
import { prepare, queryValues, textOf, type Engine, type Prepared, type SqlEngine } from '../../shared/sql/query.js'
import { CallLimit, withinTime } from '../../shared/time-limit.js'

/** What its entry in the configuration says. */
export interface SqlBackendSettings {
  readonly engine: Engine
  readonly passwordQuery: string
  readonly updateQuery: string | undefined
  readonly keep: readonly FurtherForm[]
  readonly offers: readonly ('scram-sha-1' | 'scram-sha-256' | 'clear')[]
  readonly timeoutMs: number
  readonly parallel: number
  readonly fallthrough: boolean
}
interface Found {
  readonly user: string
  readonly forms: readonly string[]
  readonly enabled: boolean
}

/** Passwords in a database: a query gives the column `password` (stored forms as in the password file), perhaps `name` and `enabled`. */
export class SqlBackend implements PasswordBackend, AsyncDisposable {
  readonly fallthrough: boolean
  readonly #engine: SqlEngine
  readonly #hashing: Hashing
  readonly #logger: Logger
  readonly #settings: SqlBackendSettings
  readonly #select: Prepared
  readonly #update: Prepared | undefined
  readonly #turns: CallLimit

  constructor(engine: SqlEngine, hashing: Hashing, logger: Logger, settings: SqlBackendSettings) {
    this.#engine = engine
    this.#hashing = hashing
    this.#logger = logger
    this.#settings = settings
    this.#select = prepare(settings.passwordQuery, settings.engine)
    this.#update = settings.updateQuery === undefined ? undefined : prepare(settings.updateQuery, settings.engine)
    this.#turns = new CallLimit(settings.parallel)
    this.fallthrough = settings.fallthrough
  }

  serves(): Promise<Pick<BackendAbout, 'verifies' | 'holds'>> {
    const names = ['scram-sha-1', 'scram-sha-256', 'clear'] as const
    return Promise.resolve({ verifies: ['password'], holds: FORM_KINDS.filter((_kind, i) => this.#settings.offers.some((offered) => offered === names[i])) })
  }

  async verify(claim: Claim, peer: PeerFacts, signal: AbortSignal): Promise<Verdict> {
    if (claim.kind !== 'password') return { kind: 'unknown-user' }
    const found = await this.#find(claim.user, signal, peer)
    if (found === undefined) return { kind: 'unknown-user' }
    if (!found.enabled) return { kind: 'disabled' }
    const compared = await this.#hashing.compare(found.forms, claim.password, found.user, signal)
    if (compared.kind === 'right') return { kind: 'accepted', user: found.user, alerts: [] }
    if (compared.kind === 'wrong') return { kind: 'wrong-password' }
    this.#logger.warn('stored password cannot be checked', { user: found.user, why: compared.why })
    return { kind: 'disabled' }
  }

  async lookup<T>(user: string, kind: CredentialKind<T>, signal: AbortSignal): Promise<Held<T> | undefined> {
    const found = await this.#find(user, signal)
    return found?.enabled === true ? credentialIn(found.forms, found.user, kind, this.#settings.offers.includes('clear')) : undefined
  }

  async change(user: string, password: Secret, signal: AbortSignal): Promise<Verdict> {
    if (this.#update === undefined) return { kind: 'not-permitted' }
    const found = await this.#find(user, signal)
    if (found === undefined) return { kind: 'unknown-user' }
    await this.#store(found.user, await formsOf(password, this.#settings.keep, this.#hashing, signal), signal)
    return { kind: 'accepted', user: found.user, alerts: [] }
  }

  /** Replaces a hash that is weaker than what is made today, where there is a query for it. */
  async learn(user: string, password: Secret, signal: AbortSignal): Promise<void> {
    if (this.#update === undefined) return
    const found = await this.#find(user, signal)
    if (found === undefined || !found.enabled) return
    const [hash = ''] = found.forms
    if (this.#hashing.schemeOf(hash)?.outdated?.(hash) !== true && missingForms(found.forms, this.#settings.keep).length === 0) return
    // Another backend may have accepted another password.
    if ((await this.#hashing.compare(found.forms, password, found.user, signal)).kind !== 'right') return
    await this.#store(found.user, await formsOf(password, this.#settings.keep, this.#hashing, signal), signal)
    this.#logger.info('password hash renewed', { user: found.user, from: schemeName(hash) })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine[Symbol.asyncDispose]()
  }

  async #find(user: string, signal: AbortSignal, peer?: PeerFacts): Promise<Found | undefined> {
    const more = peer === undefined ? {} : { service: peer.service, address: peer.address, localAddress: peer.localAddress }
    const rows = await this.#ask(this.#select, queryValues(user, more), signal)
    const [row] = rows
    // Two accounts of one name: either could be meant, so it is nobody's password.
    if (rows.length > 1) throw new Error(`the password query gives ${rows.length} rows for one user`)
    if (row === undefined) return undefined
    const enabled = row['enabled']
    const forms = formsIn(textOf(row, 'password') ?? '')
    return { user: textOf(row, 'name') ?? user, forms, enabled: (enabled === undefined || enabled === true || enabled === 1 || enabled === 1n) && forms[0] !== '' && !/^[!*]/.test(forms[0] ?? '') }
  }

  async #store(user: string, forms: readonly string[], signal: AbortSignal): Promise<void> {
    if (this.#update !== undefined) await this.#ask(this.#update, queryValues(user, { password: forms.join(' ') }), signal)
  }

  #ask({ text, names }: Prepared, values: Readonly<Record<string, string>>, signal: AbortSignal): ReturnType<SqlEngine['query']> {
    return withinTime('database', this.#settings.timeoutMs, signal, (both) => this.#turns.run(both, () => this.#engine.query(text, names.map((name) => values[name] ?? ''), both)))
  }
}
