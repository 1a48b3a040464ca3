import { createHash } from 'node:crypto'
import { MailError, PASSWORD, secret, type BackendAbout, type Claim, type CredentialKind, type FileStat, type Files, type Held, type PasswordBackend, type Verdict } from 'mailwright/api'
import { equalOctets } from '../../shared/equal.js'
import { heldAs } from '../../shared/held.js'
import { findPassword } from './database-lines.js'
import type { DatabaseState, DatabaseWatch } from './watch.js'

/** What its entry in the configuration says, with absolute paths. */
export interface Md5DatabaseSettings {
  readonly path: string
  readonly requirePrivate: boolean
  readonly useForPlaintext: boolean
  /** The host takes passwords outside TLS. */
  readonly clearAllowed: boolean
}
const MAX_OCTETS = 16 * 1024 * 1024
const HOLDS = [PASSWORD]

/**
 * Passwords in clear, in the file that the UW servers use for CRAM-MD5 and APOP. While it exists it is the only source of passwords for
 * plaintext logins too, so that nobody has two passwords; where it does not exist this backend knows nobody.
 *
 * The file is read anew for each attempt: who edits it needs not tell the server.
 */
export class Md5Database implements PasswordBackend {
  readonly #files: Files
  readonly #settings: Md5DatabaseSettings
  readonly #watch: DatabaseWatch
  constructor(files: Files, settings: Md5DatabaseSettings, watch: DatabaseWatch) {
    this.#files = files
    this.#settings = settings
    this.#watch = watch
  }

  async serves(): Promise<Pick<BackendAbout, 'verifies' | 'holds'>> {
    const stat = await this.#stat()
    this.#watch.saw(this.#state(stat))
    if (stat === undefined) return { verifies: [], holds: [] }
    // A file that others can read is an outage for whoever logs in, and nothing to be offered.
    return { verifies: this.#settings.useForPlaintext ? ['password'] : [], holds: this.#problem(stat) === undefined ? HOLDS : [] }
  }

  async verify(claim: Claim): Promise<Verdict> {
    if (claim.kind !== 'password' || !this.#settings.useForPlaintext) return { kind: 'unknown-user' }
    const text = await this.#read()
    if (text === undefined) return { kind: 'unknown-user' }
    const found = findPassword(text, claim.user)
    if (found === undefined) return { kind: 'unknown-user', final: true }
    // Digests have one length, so that the time of comparing does not tell the password's.
    const digest = (octets: Uint8Array): Uint8Array => createHash('sha256').update(octets).digest()
    if (!equalOctets(digest(found.password), digest(claim.password.reveal()))) return { kind: 'wrong-password' }
    return { kind: 'accepted', user: found.user, alerts: [] }
  }

  async lookup<T>(user: string, kind: CredentialKind<T>): Promise<Held<T> | undefined> {
    if (kind.id !== PASSWORD.id) return undefined
    const text = await this.#read()
    const found = text === undefined ? undefined : findPassword(text, user)
    return found === undefined ? undefined : heldAs(kind, PASSWORD, found.user, secret(found.password))
  }

  async #stat(): Promise<FileStat | undefined> {
    try {
      return await this.#files.stat(this.#settings.path)
    } catch (error) {
      throw this.#outage('cannot be looked at', error)
    }
  }

  #state(stat: FileStat | undefined): DatabaseState {
    if (stat === undefined) return { kind: 'absent' }
    const why = this.#problem(stat)
    if (why !== undefined) return { kind: 'refused', why }
    return { kind: this.#settings.useForPlaintext && this.#settings.clearAllowed ? 'exposed' : 'used' }
  }

  #problem(stat: FileStat): string | undefined {
    if (stat.kind !== 'file') return 'is not a file'
    if (this.#settings.requirePrivate && (stat.mode & 0o077) !== 0) return `can be read by others than its owner (mode ${stat.mode.toString(8).padStart(4, '0')}); "chmod 0400" it`
    return stat.size > MAX_OCTETS ? `has more than ${MAX_OCTETS} octets` : undefined
  }

  async #read(): Promise<Uint8Array | undefined> {
    const stat = await this.#stat()
    if (stat === undefined) return undefined
    const problem = this.#problem(stat)
    if (problem !== undefined) throw this.#outage(problem)
    try {
      const file = await this.#files.open(this.#settings.path)
      try {
        const into = new Uint8Array((await file.stat()).size)
        return into.subarray(0, await file.read(into, 0))
      } finally {
        await file.close()
      }
    } catch (error) {
      throw this.#outage('cannot be read', error)
    }
  }

  #outage(what: string, cause?: unknown): MailError {
    return new MailError('unavailable', `MD5 database ${this.#settings.path} ${what}`, { cause })
  }
}
