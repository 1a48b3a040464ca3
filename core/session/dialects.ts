import type { CompatSettings } from '../api/index.js'

/**
 * Wording of the two times of the UW servers, where they differ: as their FAQ quotes it, and as their last release has it. `user=` and `host=` of
 * the log are the same in both, and so are codes and kinds of replies.
 */
export interface Dialect {
  /** A tagged NO says which command failed, before the reason. (With TRYCREATE it always does.) */
  readonly namesCommand: boolean
  /** A login that was refused, for whatever reason; `what` is `LOGIN` or `AUTHENTICATE PLAIN`. */
  readonly refusedLogin: (what: string) => string
  /** The client gave an AUTHENTICATE up. */
  readonly cancelled: (what: string) => string
  /** The goodbye to whoever said nothing for too long over IMAP. */
  readonly idleTooLong: string
  /** The log's word for a client that went without one. */
  readonly endOfInput: string
}
/** Anybody's login has no credentials that could be invalid. */
const ANONYMOUS = 'AUTHENTICATE ANONYMOUS'

export const dialects = {
  faq: {
    namesCommand: true,
    refusedLogin: (what) => `${what} failed`,
    cancelled: (what) => `${what} cancelled`,
    idleTooLong: 'Autologout; idle for too long',
    endOfInput: 'Command stream end of file',
  },
  late: {
    namesCommand: false,
    refusedLogin: (what) => (what === ANONYMOUS ? `${what} failed` : `Invalid ${what === 'LOGIN' ? 'login' : 'authentication'} credentials`),
    cancelled: (what) => (what === ANONYMOUS ? `${what} cancelled` : 'cancelled by user'),
    idleTooLong: 'Autologout (idle for too long)',
    endOfInput: 'Unexpected client disconnect',
  },
} as const satisfies Record<CompatSettings['dialect'], Dialect>
