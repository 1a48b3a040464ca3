import { MailError, type PasswordScheme, type Secret } from 'mailwright/api'

/** The host's schemes; at most `parallel` hashes are computed at a time, because they share threads with the reading of files. */
export class Hashing {
  readonly #schemes: readonly PasswordScheme[]
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(schemes: readonly PasswordScheme[], parallel: number) {
    this.#schemes = schemes
    this.#free = parallel
  }

  /** By the longest prefix; undefined when no scheme takes it. */
  schemeOf(stored: string): PasswordScheme | undefined {
    const bare = bareHash(stored)
    let best: PasswordScheme | undefined
    let length = 0
    for (const scheme of this.#schemes) {
      for (const prefix of scheme.prefixes) {
        if (prefix.length > length && bare.startsWith(prefix)) {
          best = scheme
          length = prefix.length
        }
      }
    }
    return best
  }

  async check(scheme: PasswordScheme, stored: string, password: Secret, signal: AbortSignal): Promise<boolean> {
    return await this.#inTurn(signal, () => scheme.check(bareHash(stored), password))
  }

  /** By the first scheme that makes hashes. */
  async make(password: Secret, signal: AbortSignal): Promise<string> {
    const maker = this.#schemes.find((scheme) => scheme.make !== undefined)
    if (maker?.make === undefined) throw new MailError('unavailable', 'none of the password schemes of this host makes new hashes; add "scrypt" to auth.schemes')
    const { make } = maker
    return await this.#inTurn(signal, () => make.call(maker, password))
  }

  async #inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      if (signal.aborted) throw new MailError('cancelled', 'the session ended before its password was checked')
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}

/** What a hash says it is, for lists: `argon2id`, `{SSHA}`; never the hash itself. */
export function schemeName(stored: string): string {
  return /^\{[A-Za-z0-9.-]+\}/.exec(stored)?.[0] ?? /^\$([a-z0-9-]+)\$/.exec(stored)?.[1] ?? 'unknown'
}

/** `{CRYPT}` says nothing that the hash does not say. */
function bareHash(stored: string): string {
  return stored.startsWith('{CRYPT}') ? stored.slice('{CRYPT}'.length) : stored
}
