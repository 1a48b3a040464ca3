import { isIP } from 'node:net'
import { MailError, type Secret } from 'mailwright/api'
import type { Client, ClientOptions } from 'ldapts'
import { escapeFilter, fillTemplate } from './escape.js'

/** How an LDAP server is reached. */
export interface LdapSettings {
  readonly url: string
  readonly startTls: boolean
  readonly ca: string | undefined
  readonly bindDn: string | undefined
  readonly bindPassword: Secret | undefined
  readonly base: string
  readonly filter: string
  readonly timeoutMs: number
}
/** An entry: its name, and its attributes by name in lower case. */
export interface LdapEntry {
  readonly dn: string
  readonly attributes: ReadonlyMap<string, readonly string[]>
}
/** More entries than this for one user are not looked at. */
const SIZE_LIMIT = 2
const INVALID_CREDENTIALS = 49
const NO_SUCH_OBJECT = 32

/** A directory, asked with one account of its own, and its users' passwords, tried as themselves. Each connection does one thing at a time. */
export class LdapDirectory implements AsyncDisposable {
  readonly #ldapts: typeof import('ldapts')
  readonly #settings: LdapSettings
  /** Idle connections that are bound as `bindDn`, and such that are bound as anybody. */
  readonly #searchers: Client[] = []
  readonly #binders: Client[] = []

  constructor(ldapts: typeof import('ldapts'), settings: LdapSettings) {
    this.#ldapts = ldapts
    this.#settings = settings
  }

  /** The entry of a user; undefined: none. Two are an outage: nobody knows which is meant. */
  async find(user: string, attributes: readonly string[]): Promise<LdapEntry | undefined> {
    // A directory takes no notice of spaces at the ends, and of several as one; two names would be one account.
    if (user !== user.trim() || /\s{2}/.test(user)) return undefined
    const filter = fillTemplate(this.#settings.filter, user, escapeFilter)
    const entries = await this.#with(this.#searchers, async (client, isFresh) => {
      if (isFresh && this.#settings.bindDn !== undefined) await client.bind(this.#settings.bindDn, revealed(this.#settings.bindPassword))
      const { searchEntries } = await client.search(this.#settings.base, { scope: 'sub', filter, sizeLimit: SIZE_LIMIT, attributes: [...attributes] })
      return searchEntries
    })
    if (entries.length > 1) throw new MailError('unavailable', `${filter} finds ${entries.length} entries below ${this.#settings.base}`)
    const [entry] = entries
    if (entry === undefined) return undefined
    const values = (value: unknown): readonly string[] => (Array.isArray(value) ? value : [value]).map((v) => (Buffer.isBuffer(v) ? v.toString('utf8') : String(v)))
    return { dn: entry.dn, attributes: new Map(Object.entries(entry).filter(([name]) => name !== 'dn').map(([name, value]) => [name.toLowerCase(), values(value)])) }
  }

  /** Whether the password is that of an entry. */
  async proves(dn: string, password: Secret): Promise<boolean> {
    const text = revealed(password)
    // RFC 4513: a name without a password is an anonymous login, which succeeds.
    if (text === '' || dn === '') return false
    try {
      await this.#with(this.#binders, async (client) => client.bind(dn, text))
      return true
    } catch (error) {
      const code = codeOf(error)
      if (code === INVALID_CREDENTIALS || code === NO_SUCH_OBJECT) return false
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#searchers.splice(0), ...this.#binders.splice(0)].map((client) => client.unbind().catch(() => undefined)))
  }

  /** One that was idle may have been closed by the server meanwhile: then a new one is tried. */
  async #with<T>(pool: Client[], work: (client: Client, isFresh: boolean) => Promise<T>): Promise<T> {
    const idle = pool.pop()
    if (idle !== undefined) {
      try {
        if (idle.isConnected) return await this.#kept(pool, idle, work, false)
      } catch (error) {
        if (codeOf(error) !== undefined) throw error
      }
      await idle.unbind().catch(() => undefined)
    }
    const client = await this.#connect()
    return await this.#kept(pool, client, work, true)
  }

  async #kept<T>(pool: Client[], client: Client, work: (client: Client, isFresh: boolean) => Promise<T>, isFresh: boolean): Promise<T> {
    let isUsable = false
    try {
      const result = await work(client, isFresh)
      isUsable = true
      return result
    } catch (error) {
      // An answer with a result code is an answer: binding may fail and the connection is as good as before.
      isUsable = pool === this.#binders && codeOf(error) !== undefined
      throw error
    } finally {
      if (isUsable) pool.push(client)
      else if (isFresh) await client.unbind().catch(() => undefined)
    }
  }

  async #connect(): Promise<Client> {
    const { url, timeoutMs, startTls, ca } = this.#settings
    const tlsOptions = ca === undefined ? {} : { ca }
    const options: ClientOptions = { url, timeout: timeoutMs, connectTimeout: timeoutMs, ...(url.startsWith('ldaps:') ? { tlsOptions } : {}) }
    const client = new this.#ldapts.Client(options)
    if (!startTls) return client
    const hostname = new URL(url).hostname.replace(/^\[(.*)\]$/, '$1')
    try {
      // The certificate is compared with `host`; an address is no server name (RFC 6066 §3).
      await client.startTLS({ ...tlsOptions, host: hostname, ...(isIP(hostname) === 0 ? { servername: hostname } : {}) })
      return client
    } catch (error) {
      // A server that is not believed keeps no connection.
      await client.unbind().catch(() => undefined)
      throw error
    }
  }
}

function revealed(password: Secret | undefined): string {
  return password === undefined ? '' : Buffer.from(password.reveal()).toString('utf8')
}
/** The result code of an answer (RFC 4511); undefined when there was none. */
function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined
}
