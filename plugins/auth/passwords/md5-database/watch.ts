import type { Logger } from 'mailwright/api'

/** What is the matter with the database, as far as the operator should know. */
export type DatabaseState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'used' }
  /** Its passwords are asked for in LOGIN and the like, and those may cross the network in clear (FAQ 3.16). */
  | { readonly kind: 'exposed' }
  | { readonly kind: 'refused'; readonly why: string }

/**
 * Lines of the log about the database, one for each change: it comes and goes while the server runs, and with it the passwords of everybody.
 * That it is absent is news only where it was there.
 */
export class DatabaseWatch {
  readonly #path: string
  readonly #logger: Logger
  #last = 'absent'

  constructor(path: string, logger: Logger) {
    this.#path = path
    this.#logger = logger
  }

  saw(state: DatabaseState): void {
    const now = state.kind === 'refused' ? state.why : state.kind
    if (now === this.#last) return
    this.#last = now
    const path = this.#path
    switch (state.kind) {
      case 'absent':
        return this.#logger.info('MD5 database is gone: the password backends after it are asked again', { path })
      case 'used':
        return this.#logger.info('MD5 database is in use', { path })
      case 'exposed':
        return this.#logger.warn('MD5 database is the source of all passwords, and "plaintext: always" lets them cross the network in clear', { path })
      case 'refused':
        return this.#logger.warn('MD5 database is refused', { path, why: state.why })
    }
  }
}
