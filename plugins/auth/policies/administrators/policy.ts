import type { Admission, LoginPolicy } from 'mailwright/api'

/** Who may log in for others: `user*admin`, or the authorization identity of a mechanism. */
export class Administrators implements LoginPolicy {
  readonly #members: ReadonlySet<string>
  readonly #inGroup: () => Promise<readonly string[]>
  /** @param inGroup names in the member list of the group, asked anew each time */
  constructor(members: readonly string[], inGroup: () => Promise<readonly string[]>) {
    this.#members = new Set(members.map((name) => name.toLowerCase()))
    this.#inGroup = inGroup
  }

  async decide({ authcid, authzid }: Parameters<NonNullable<LoginPolicy['decide']>>[0]): Promise<Admission> {
    if (authzid === '' || authzid.toLowerCase() === authcid.toLowerCase()) return { kind: 'allow' }
    const name = authcid.toLowerCase()
    if (this.#members.has(name) || (await this.#inGroup()).some((member) => member.toLowerCase() === name)) return { kind: 'allow', vouches: true }
    // Another policy may vouch; without one core refuses.
    return { kind: 'allow' }
  }
}
