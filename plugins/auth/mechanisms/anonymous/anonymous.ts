import type { Files, SaslContext, SaslMechanism, SaslResult } from 'mailwright/api'
import { utf8 } from '../../shared/names.js'

/** RFC 4505 §2: an address or up to 255 characters of any text. */
const MAX_TRACE_CHARACTERS = 255

/** ANONYMOUS (RFC 4505), while its enable file exists. What anonymous users reach, namespaces and the daemon decide: read-only, and nobody's own mail. */
export class Anonymous implements SaslMechanism {
  readonly #files: Files
  readonly #enableFile: string | undefined
  readonly #home: string | undefined
  /** @param home of anonymous users, where no directory is to be asked for `anonymous` */
  constructor(files: Files, enableFile: string | undefined, home: string | undefined) {
    this.#files = files
    this.#enableFile = enableFile
    this.#home = home
  }

  async ready(): Promise<boolean> {
    return this.#enableFile === undefined || (await this.#files.stat(this.#enableFile)) !== undefined
  }

  async authenticate(x: SaslContext): Promise<SaslResult> {
    const trace = utf8(x.initial ?? (await x.ask(new Uint8Array(0))))
    if (trace === undefined || [...trace].length > MAX_TRACE_CHARACTERS) return { kind: 'malformed' }
    return { kind: 'anonymous', trace, ...(this.#home === undefined ? {} : { home: this.#home }) }
  }
}
