import { MailError, type AccountEditor, type Claim, type Logger, type PasswordBackend, type PeerFacts, type Secret, type Verdict } from 'mailwright/api'
import { schemeName, type Hashing } from '../../shared/hashing.js'
import type { PasswordFile } from './password-file.js'
import { nameProblem } from './password-lines.js'

/** What its entry in the configuration says. */
export interface FileBackendSettings {
  readonly fallthrough: boolean
  readonly rehash: boolean
}

/** Passwords in a text file of hashes. */
export class FileBackend implements PasswordBackend {
  readonly fallthrough: boolean
  readonly accounts: AccountEditor
  readonly #rehash: boolean
  readonly #file: PasswordFile
  readonly #hashing: Hashing
  readonly #logger: Logger

  constructor(file: PasswordFile, hashing: Hashing, logger: Logger, settings: FileBackendSettings) {
    this.#file = file
    this.#hashing = hashing
    this.#logger = logger
    this.#rehash = settings.rehash
    this.fallthrough = settings.fallthrough
    this.accounts = createAccountEditor(file, hashing)
  }

  async verify(claim: Claim, _peer: PeerFacts, signal: AbortSignal): Promise<Verdict> {
    if (claim.kind !== 'password') return { kind: 'unknown-user' }
    const { accounts } = await this.#file.read()
    const account = accounts.get(claim.user)
    if (account === undefined) return { kind: 'unknown-user' }
    if (!account.enabled) return { kind: 'disabled' }
    const scheme = this.#hashing.schemeOf(account.hash)
    if (scheme === undefined) return this.#unusable(account.user, `scheme ${schemeName(account.hash)} is not among the schemes of this host`)
    try {
      if (!(await this.#hashing.check(scheme, account.hash, claim.password, signal))) return { kind: 'wrong-password' }
    } catch (error) {
      // A damaged hash is this account's fault alone; a missing library is an outage.
      if (error instanceof MailError && error.kind === 'corrupt') return this.#unusable(account.user, error.message)
      throw error
    }
    return { kind: 'accepted', user: account.user, alerts: [] }
  }

  async change(user: string, password: Secret, signal: AbortSignal): Promise<Verdict> {
    const { accounts } = await this.#file.read()
    if (!accounts.has(user)) return { kind: 'unknown-user' }
    await this.accounts.setPassword(user, password, signal)
    return { kind: 'accepted', user, alerts: [] }
  }

  /** Replaces a hash that is weaker than what is made today. Users that are not in the file stay out of it. */
  async learn(user: string, password: Secret, signal: AbortSignal): Promise<void> {
    if (!this.#rehash) return
    const { accounts } = await this.#file.read()
    const account = accounts.get(user)
    const scheme = account === undefined ? undefined : this.#hashing.schemeOf(account.hash)
    if (account === undefined || !account.enabled || scheme?.outdated?.(account.hash) !== true) return
    // Another backend may have accepted another password.
    if (!(await this.#hashing.check(scheme, account.hash, password, signal))) return
    const hash = await this.#hashing.make(password, signal)
    await this.#file.edit((lines) => (lines.accounts.get(user)?.hash === account.hash ? lines.with(user, hash) : lines), signal)
    this.#logger.info('password hash renewed', { user, from: schemeName(account.hash), to: schemeName(hash) })
  }

  #unusable(user: string, why: string): Verdict {
    this.#logger.warn('stored password cannot be checked', { user, why })
    return { kind: 'disabled' }
  }
}

/** The edits of `mailwright user`; hashes are made before the file is locked. */
export function createAccountEditor(file: PasswordFile, hashing: Hashing): AccountEditor {
  const hashOf = async (password: Secret, signal: AbortSignal): Promise<string> => {
    const octets = password.reveal()
    if (octets.length === 0 || octets.length > 255 || octets.includes(0)) throw new MailError('unsupported', 'a password has 1 to 255 octets and no NUL')
    return await hashing.make(password, signal)
  }
  return {
    async list() {
      const { accounts } = await file.read()
      return [...accounts.values()].map(({ user, enabled, hash }) => ({ user, enabled, scheme: schemeName(hash) }))
    },
    async add(user, password, signal) {
      const problem = nameProblem(user)
      if (problem !== undefined) throw new MailError('unsupported', problem)
      const hash = await hashOf(password, signal)
      await file.edit((lines) => {
        if (lines.accounts.has(user)) throw new MailError('exists', `user "${user}" exists already`)
        return lines.with(user, hash)
      }, signal)
    },
    async setPassword(user, password, signal) {
      const hash = await hashOf(password, signal)
      await file.edit((lines) => {
        if (!lines.accounts.has(user)) throw new MailError('not-found', `there is no user "${user}"`)
        return lines.with(user, hash)
      }, signal)
    },
    async remove(user, signal) {
      await file.edit((lines) => {
        if (!lines.accounts.has(user)) throw new MailError('not-found', `there is no user "${user}"`)
        return lines.without(user)
      }, signal)
    },
  }
}
