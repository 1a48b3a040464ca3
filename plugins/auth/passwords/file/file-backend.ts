import { MailError, PASSWORD, SCRAM_SHA_1, SCRAM_SHA_256, type AccountEditor, type BackendAbout, type Claim, type CredentialKind, type Held, type Logger, type PasswordBackend, type PeerFacts, type Secret, type Verdict } from 'mailwright/api'
import { credentialIn } from '../../shared/form-backend.js'
import { schemeName, type Hashing } from '../../shared/hashing.js'
import type { PasswordFile } from '../../shared/password-file.js'
import { nameProblem, type PasswordLines } from '../../shared/password-lines.js'
import { clearIn, formsOf, missingForms, scramIn, type FurtherForm } from '../../shared/forms.js'

/** What its entry in the configuration says. */
export interface FileBackendSettings {
  readonly fallthrough: boolean
  readonly rehash: boolean
  readonly keep: readonly FurtherForm[]
}

/** Passwords in a text file: one hash per user, and what further forms of the password are kept for mechanisms that need them. */
export class FileBackend implements PasswordBackend {
  readonly fallthrough: boolean
  readonly accounts: AccountEditor
  readonly #settings: FileBackendSettings
  readonly #file: PasswordFile
  readonly #hashing: Hashing
  readonly #logger: Logger
  readonly #held = new WeakMap<PasswordLines, BackendAbout['holds']>()

  constructor(file: PasswordFile, hashing: Hashing, logger: Logger, settings: FileBackendSettings) {
    this.#file = file
    this.#hashing = hashing
    this.#logger = logger
    this.#settings = settings
    this.fallthrough = settings.fallthrough
    this.accounts = createAccountEditor(file, hashing, settings.keep)
  }

  /** Kinds of which at least one user has something. */
  async serves(): Promise<Pick<BackendAbout, 'verifies' | 'holds'>> {
    const lines = await this.#file.read()
    let holds = this.#held.get(lines)
    if (holds === undefined) {
      const all = [...lines.accounts.values()].filter((account) => account.enabled)
      holds = [
        ...(all.some(({ forms }) => scramIn(forms, 'sha1') !== undefined) ? [SCRAM_SHA_1] : []),
        ...(all.some(({ forms }) => scramIn(forms, 'sha256') !== undefined) ? [SCRAM_SHA_256] : []),
        ...(this.#keepsClear && all.some(({ forms }) => clearIn(forms) !== undefined) ? [PASSWORD] : []),
      ]
      this.#held.set(lines, holds)
    }
    return { verifies: ['password'], holds }
  }

  async verify(claim: Claim, _peer: PeerFacts, signal: AbortSignal): Promise<Verdict> {
    if (claim.kind !== 'password') return { kind: 'unknown-user' }
    const { accounts } = await this.#file.read()
    const account = accounts.get(claim.user)
    if (account === undefined) return { kind: 'unknown-user' }
    if (!account.enabled) return { kind: 'disabled' }
    const compared = await this.#hashing.compare(account.forms, claim.password, account.user, signal)
    if (compared.kind === 'right') return { kind: 'accepted', user: account.user, alerts: [] }
    if (compared.kind === 'wrong') return { kind: 'wrong-password' }
    this.#logger.warn('stored password cannot be checked', { user: account.user, why: compared.why })
    return { kind: 'disabled' }
  }

  async lookup<T>(user: string, kind: CredentialKind<T>): Promise<Held<T> | undefined> {
    const { accounts } = await this.#file.read()
    const account = accounts.get(user)
    if (account === undefined || !account.enabled) return undefined
    return credentialIn(account.forms, account.user, kind, this.#keepsClear)
  }

  async change(user: string, password: Secret, signal: AbortSignal): Promise<Verdict> {
    const { accounts } = await this.#file.read()
    if (!accounts.has(user)) return { kind: 'unknown-user' }
    await this.accounts.setPassword(user, password, signal)
    return { kind: 'accepted', user, alerts: [] }
  }

  /** Replaces a hash that is weaker than what is made today, and adds forms that are to be kept. Users that are not in the file stay out of it. */
  async learn(user: string, password: Secret, signal: AbortSignal): Promise<void> {
    if (!this.#settings.rehash) return
    const { accounts } = await this.#file.read()
    const account = accounts.get(user)
    if (account === undefined || !account.enabled) return
    const [hash = ''] = account.forms
    const isOutdated = this.#hashing.schemeOf(hash)?.outdated?.(hash) === true
    if (!isOutdated && missingForms(account.forms, this.#settings.keep).length === 0) return
    // Another backend may have accepted another password.
    if ((await this.#hashing.compare(account.forms, password, user, signal)).kind !== 'right') return
    const forms = await formsOf(password, this.#settings.keep, this.#hashing, signal)
    const before = account.forms.join(' ')
    await this.#file.edit((lines) => (lines.accounts.get(user)?.forms.join(' ') === before ? lines.with(user, ...forms) : lines), signal)
    this.#logger.info('password hash renewed', { user, from: schemeName(hash), to: forms.map(schemeName).join(' ') })
  }

  get #keepsClear(): boolean {
    return this.#settings.keep.includes('clear')
  }
}

/** The edits of `mailwright user`; hashes are made before the file is locked. */
function createAccountEditor(file: PasswordFile, hashing: Hashing, keep: readonly FurtherForm[]): AccountEditor {
  const made = async (password: Secret, signal: AbortSignal): Promise<readonly string[]> => {
    const octets = password.reveal()
    if (octets.length === 0 || octets.length > 255 || octets.includes(0)) throw new MailError('unsupported', 'a password has 1 to 255 octets and no NUL')
    return await formsOf(password, keep, hashing, signal)
  }
  return {
    async list() {
      const { accounts } = await file.read()
      return [...accounts.values()].map(({ user, enabled, forms }) => ({ user, enabled, scheme: forms.map(schemeName).join(' ') }))
    },
    async add(user, password, signal) {
      const problem = nameProblem(user)
      if (problem !== undefined) throw new MailError('unsupported', problem)
      const forms = await made(password, signal)
      await file.edit((lines) => {
        if (lines.accounts.has(user)) throw new MailError('exists', `user "${user}" exists already`)
        return lines.with(user, ...forms)
      }, signal)
    },
    async setPassword(user, password, signal) {
      const forms = await made(password, signal)
      await file.edit((lines) => {
        if (!lines.accounts.has(user)) throw new MailError('not-found', `there is no user "${user}"`)
        return lines.with(user, ...forms)
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
