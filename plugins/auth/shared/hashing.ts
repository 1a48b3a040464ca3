import { MailError, type PasswordScheme, type Secret } from 'mailwright/api'

/** What comparing a password with its stored form gives. `unusable` is the fault of the stored form, for the log. */
export type Compared = { readonly kind: 'right' } | { readonly kind: 'wrong' } | { readonly kind: 'unusable'; readonly why: string }

/** The host's schemes; at most `parallel` hashes are computed at a time, because they share threads with the reading of files. */
export class Hashing {
  readonly #schemes: readonly PasswordScheme[]
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(schemes: readonly PasswordScheme[], parallel: number) {
    this.#schemes = schemes
    this.#free = parallel
  }

  /** By the longest prefix, else by its looks; undefined when no scheme takes it. */
  schemeOf(stored: string): PasswordScheme | undefined {
    const bare = bareHash(stored)
    let best: PasswordScheme | undefined
    let length = 0
    for (const scheme of this.#schemes) {
      for (const prefix of scheme.prefixes) {
        if (prefix.length > length && startsWith(bare, prefix)) {
          best = scheme
          length = prefix.length
        }
      }
    }
    return best ?? this.#schemes.find((scheme) => scheme.recognises?.(bare) === true)
  }

  /** By the first of several stored forms of one password that a scheme of this host takes. An outage is thrown. */
  async compare(forms: readonly string[], password: Secret, user: string, signal: AbortSignal): Promise<Compared> {
    const known = forms.flatMap((stored) => this.schemeOf(stored)?.refused === undefined ? [{ stored, scheme: this.schemeOf(stored) }] : []).find((f) => f.scheme !== undefined)
    if (known?.scheme === undefined) {
      const refused = forms.map((stored) => this.schemeOf(stored)?.refused).find((why) => why !== undefined)
      return { kind: 'unusable', why: refused ?? `scheme ${schemeName(forms[0] ?? '')} is not among the schemes of this host` }
    }
    try {
      return { kind: (await this.check(known.scheme, known.stored, password, user, signal)) ? 'right' : 'wrong' }
    } catch (error) {
      // A damaged hash is this account's fault alone; a missing library is an outage.
      if (error instanceof MailError && error.kind === 'corrupt') return { kind: 'unusable', why: error.message }
      throw error
    }
  }

  async check(scheme: PasswordScheme, stored: string, password: Secret, user: string, signal: AbortSignal): Promise<boolean> {
    return await this.#inTurn(signal, () => scheme.check(bareHash(stored), password, user))
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
  return /^\{[A-Za-z0-9._-]+\}/.exec(stored)?.[0] ?? /^\$([a-z0-9-]+)\$/.exec(stored)?.[1] ?? 'unknown'
}

/** Labels in braces are written in capitals by some and not by others; after `$` it matters. */
function startsWith(stored: string, prefix: string): boolean {
  const head = stored.slice(0, prefix.length)
  return head === prefix || (prefix.startsWith('{') && head.toUpperCase() === prefix)
}
/** `{CRYPT}` says nothing that the hash does not say. */
function bareHash(stored: string): string {
  return /^\{CRYPT\}/i.test(stored) ? stored.slice('{CRYPT}'.length) : stored
}
