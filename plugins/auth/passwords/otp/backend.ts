import { MailError, OTP_CHAIN, type AccountEditor, type BackendAbout, type Claim, type CredentialKind, type Held, type PasswordBackend, type PeerFacts, type Secret, type Verdict } from 'mailwright/api'
import { equalOctets } from '../../shared/equal.js'
import { heldAs } from '../../shared/held.js'
import { formatOtpChain, otpPassword, otpStep, parseOtpChain } from '../../shared/otp-chain.js'
import type { PasswordFile } from '../../shared/password-file.js'
import { nameProblem, type Account } from '../../shared/password-lines.js'

/** What its entry in the configuration says. */
export interface OtpSettings {
  /** How many passwords a new chain has. */
  readonly length: number
  /** Below this many the user is told at login. */
  readonly warnBelow: number
  /** Clients may bring a new chain with a password. */
  readonly renew: boolean
}
const SEED_OCTETS = 5

/**
 * Chains of one-time passwords (RFC 2289) in a text file, `name:otp-md5 499 seed last-password`. The step to the next password is taken
 * under the lock of the file and is on the disk before the login is accepted: a password is good for one login, whatever crashes.
 */
export class OtpBackend implements PasswordBackend {
  readonly accounts: AccountEditor
  readonly #file: PasswordFile
  readonly #settings: OtpSettings
  readonly #random: (octets: number) => Uint8Array

  constructor(file: PasswordFile, random: (octets: number) => Uint8Array, settings: OtpSettings) {
    this.#file = file
    this.#random = random
    this.#settings = settings
    this.accounts = this.#editor()
  }

  async serves(): Promise<Pick<BackendAbout, 'verifies' | 'holds'>> {
    // A file that is not there yet is nothing to offer, and no outage.
    const accounts = await this.#file.read().then((lines) => lines.accounts, () => new Map<string, Account>())
    return [...accounts.values()].some((account) => chainOf(account) !== undefined) ? { verifies: ['one-time'], holds: [OTP_CHAIN] } : { verifies: [], holds: [] }
  }

  async lookup<T>(user: string, kind: CredentialKind<T>): Promise<Held<T> | undefined> {
    const account = (await this.#file.read()).accounts.get(user)
    const chain = account === undefined ? undefined : chainOf(account)
    return account === undefined || chain === undefined ? undefined : heldAs(kind, OTP_CHAIN, account.user, chain)
  }

  async verify(claim: Claim, _peer: PeerFacts, signal: AbortSignal): Promise<Verdict> {
    if (claim.kind !== 'one-time') return { kind: 'unknown-user' }
    let verdict: Verdict = { kind: 'unknown-user' }
    await this.#file.edit((lines) => {
      const account = lines.accounts.get(claim.user)
      const chain = account === undefined ? undefined : chainOf(account)
      if (account === undefined || chain === undefined) return lines
      if (!equalOctets(otpStep(chain.algorithm, claim.response), chain.last)) {
        verdict = { kind: 'wrong-password' }
        return lines
      }
      const used = { ...chain, sequence: chain.sequence - 1, last: claim.response }
      // Used up, whatever becomes of the wish: it has been seen on the way.
      if (claim.next !== undefined && !this.#settings.renew) {
        verdict = { kind: 'not-permitted' }
        return lines.with(claim.user, formatOtpChain(used))
      }
      const after = claim.next ?? used
      const left = after.sequence - 1
      verdict = { kind: 'accepted', user: account.user, alerts: left < this.#settings.warnBelow ? [`${left} one-time passwords are left`] : [] }
      return lines.with(claim.user, formatOtpChain(after))
    }, signal)
    return verdict
  }

  #editor(): AccountEditor {
    const made = (passphrase: Secret): string => {
      const seed = `mw${Buffer.from(this.#random(SEED_OCTETS)).toString('hex')}`
      return formatOtpChain({ algorithm: 'sha1', sequence: this.#settings.length, seed, last: otpPassword('sha1', passphrase.reveal(), seed, this.#settings.length) })
    }
    // RFC 2289: at least 10 characters, and no more than clients take.
    const checked = (user: string, passphrase: Secret): void => {
      const problem = nameProblem(user)
      if (problem !== undefined) throw new MailError('unsupported', problem)
      const { length } = passphrase.reveal()
      if (length < 10 || length > 63) throw new MailError('unsupported', 'the passphrase of one-time passwords has 10 to 63 octets')
    }
    const edit = async (user: string, passphrase: Secret, isNew: boolean, signal: AbortSignal): Promise<void> => {
      checked(user, passphrase)
      const chain = made(passphrase)
      await this.#file.edit((lines) => {
        if (lines.accounts.has(user) === isNew) throw isNew ? new MailError('exists', `user "${user}" exists already`) : new MailError('not-found', `there is no user "${user}"`)
        return lines.with(user, chain)
      }, signal)
    }
    return {
      list: async () => [...(await this.#file.read()).accounts.values()].map((account) => ({ user: account.user, enabled: chainOf(account) !== undefined, scheme: `otp ${chainOf(account)?.sequence ?? 0}` })),
      add: (user, passphrase, signal) => edit(user, passphrase, true, signal),
      setPassword: (user, passphrase, signal) => edit(user, passphrase, false, signal),
      remove: (user, signal) =>
        this.#file.edit((lines) => {
          if (!lines.accounts.has(user)) throw new MailError('not-found', `there is no user "${user}"`)
          return lines.without(user)
        }, signal),
    }
  }
}

/** The chain of an account that has passwords left. */
function chainOf({ enabled, forms }: Account): ReturnType<typeof parseOtpChain> {
  const chain = enabled ? parseOtpChain(forms[0] ?? '') : undefined
  return chain !== undefined && chain.sequence > 1 ? chain : undefined
}
