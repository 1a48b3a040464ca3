import type { PeerFacts, Refusal } from '../../api/auth.js'
import type { Logger } from '../../api/kernel.js'

const NAME_OCTETS = 64

/** Who asked, as far as is known. */
export interface Asker {
  readonly user: string
  readonly auth: string
  readonly peer: PeerFacts
}

/**
 * Log lines of logins: event and facts read as `Login failed user=... auth=... host=...`. The client is told one thing
 * for every refusal; the true reason stands here.
 */
export class LoginLog {
  readonly #logger: Logger
  constructor(logger: Logger) {
    this.#logger = logger
  }

  loggedIn(user: string, peer: PeerFacts): void {
    this.#logger[levelOf(peer)]('Login', { user: printable(user), host: hostOf(peer) })
  }
  authenticated(user: string, mechanism: string, peer: PeerFacts): void {
    this.#logger[levelOf(peer)]('Authenticated', { user: printable(user), host: hostOf(peer), mech: mechanism })
  }
  /** @param mechanism undefined: by a user name and the trace in place of the password. */
  anonymous(trace: string, mechanism: string | undefined, peer: PeerFacts): void {
    const facts = { anonymous: printable(trace), host: hostOf(peer) }
    if (mechanism === undefined) this.#logger.info('Login', facts)
    else this.#logger.info('Authenticated', { ...facts, mech: mechanism })
  }
  refused(who: Asker, reason: Refusal['kind']): void {
    this.#logger.info('Login failed', { ...this.#asker(who), reason })
  }
  /** Whatever should have said yes or no could not. */
  unavailable(who: Asker, error: Error): void {
    this.#logger.warn('Login unavailable', { ...this.#asker(who), why: error.message })
  }
  disabled(who: Asker): void {
    this.#logger.info('Login disabled', this.#asker(who))
  }
  excessive(who: Asker): void {
    this.#logger.info('Login excessive login failures', this.#asker(who))
  }
  breakIn(who: Asker): void {
    this.#logger.warn('Login SYSTEM BREAK-IN ATTEMPT', this.#asker(who))
  }
  override(who: Asker, granted: boolean): void {
    const facts = { user: printable(who.user), host: hostOf(who.peer) }
    this.#logger.info(`${granted ? 'Admin' : 'Failed'} ${printable(who.auth)} override of`, facts)
  }
  mechanismFailed(mechanism: string, peer: PeerFacts): void {
    this.#logger.info(`AUTHENTICATE ${printable(mechanism)} failure`, { host: hostOf(peer) })
  }
  mechanismUnknown(mechanism: string, peer: PeerFacts): void {
    this.#logger.info(`AUTHENTICATE ${printable(mechanism)} invalid`, { host: hostOf(peer) })
  }
  /** A plugin threw where it must not; the login goes on. */
  contained(what: string, error: unknown): void {
    this.#logger.error('auth plugin failed', { what, error })
  }

  #asker(who: Asker): { readonly user: string; readonly auth: string; readonly host: string } {
    return { user: printable(who.user), auth: printable(who.auth), host: hostOf(who.peer) }
  }
}

/** POP daemons have a line of their own for it, which tells the number of messages. */
function levelOf(peer: PeerFacts): 'info' | 'debug' {
  return peer.service === 'pop' ? 'debug' : 'info'
}

/** Client as the log names it: `name [addr]`, `[addr]` when nothing names it, `UNKNOWN` when it has no address. */
export function hostOf(peer: PeerFacts): string {
  if (peer.address === '' || peer.address === 'UNKNOWN') return 'UNKNOWN'
  return peer.name === undefined ? `[${peer.address}]` : `${printable(peer.name)} [${peer.address}]`
}

/** At most 64 octets, with control characters made harmless, so that no name can forge a log line. */
export function printable(name: string): string {
  let out = ''
  let octets = 0
  for (const character of name) {
    const code = character.codePointAt(0) ?? 0
    // Also the line and paragraph separators, and the marks that turn the reading direction.
    const shown = code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ? '?' : character
    octets += Buffer.byteLength(shown)
    if (octets > NAME_OCTETS) break
    out += shown
  }
  return out
}
