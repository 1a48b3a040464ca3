import type { Claim, PasswordBackend, PeerFacts, Verdict } from 'mailwright/api'
import type { LdapDirectory } from '../../shared/ldap/directory.js'
import { escapeDn, fillTemplate } from '../../shared/ldap/escape.js'
import { CallLimit, withinTime } from '../../shared/time-limit.js'

/** What its entry in the configuration says. */
export interface LdapBackendSettings {
  /** Users are tried by this name, without a search. */
  readonly userDn: string | undefined
  /** Where an entry says how its user's name is spelt: directories compare names without regard to capitals and spaces. */
  readonly nameAttribute: string
  readonly timeoutMs: number
  readonly parallel: number
  readonly fallthrough: boolean
}

/** Passwords that a directory checks: the user is searched, then logs in there. The server sees no stored password. */
export class LdapBackend implements PasswordBackend, AsyncDisposable {
  readonly fallthrough: boolean
  readonly #directory: LdapDirectory
  readonly #settings: LdapBackendSettings
  readonly #turns: CallLimit
  constructor(directory: LdapDirectory, settings: LdapBackendSettings) {
    this.#directory = directory
    this.#settings = settings
    this.#turns = new CallLimit(settings.parallel)
    this.fallthrough = settings.fallthrough
  }

  async verify(claim: Claim, _peer: PeerFacts, signal: AbortSignal): Promise<Verdict> {
    if (claim.kind !== 'password') return { kind: 'unknown-user' }
    return await withinTime('directory', this.#settings.timeoutMs, signal, (both) => this.#turns.run(both, () => this.#verify(claim)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#directory[Symbol.asyncDispose]()
  }

  async #verify({ user, password }: Extract<Claim, { kind: 'password' }>): Promise<Verdict> {
    const { userDn, nameAttribute } = this.#settings
    if (userDn !== undefined) {
      // Directories compare names without regard to capitals and spaces, and nothing says here how this one is spelt.
      if (user !== user.toLowerCase() || user !== user.trim() || user.includes('  ')) return { kind: 'unknown-user' }
      // Without a search nobody knows whether there is such a user.
      return (await this.#directory.proves(fillTemplate(userDn, user, escapeDn), password)) ? { kind: 'accepted', user, alerts: [] } : { kind: 'wrong-password' }
    }
    const entry = await this.#directory.find(user, [nameAttribute])
    if (entry === undefined) return { kind: 'unknown-user' }
    if (!(await this.#directory.proves(entry.dn, password))) return { kind: 'wrong-password' }
    const names = entry.attributes.get(nameAttribute.toLowerCase()) ?? []
    const name = names.find((one) => one === user) ?? names.find((one) => one.toLowerCase() === user.trim().toLowerCase()) ?? names[0]
    if (name === undefined) throw new Error(`the entry of ${JSON.stringify(user)} has no attribute ${nameAttribute}`)
    return { kind: 'accepted', user: name, alerts: [] }
  }
}
