
/** Input that its grammar does not allow. A mistake of the client: answered with BAD or -ERR, logged at debug level, never with a stack. */
export class SyntaxFailure extends Error {
  override readonly name: string = 'SyntaxFailure'
  /** Octet of the input at which reading stopped. */
  readonly position: number
  /** What would have been right there, in words for a log. */
  readonly expected: string
  constructor(position: number, expected: string) {
    super(`expected ${expected} at octet ${position}`)
    this.position = position
    this.expected = expected
  }
}

/** A mailbox name that is no name at all: in its place it is well formed, so the answer is NO, not BAD. */
export class MailboxNameFailure extends SyntaxFailure {
  override readonly name: string = 'MailboxNameFailure'
  /** Such as `unterminated modified UTF-7 name`. */
  readonly reason: string
  constructor(position: number, reason: string) {
    super(position, 'a valid mailbox name')
    this.reason = reason
  }
}

/** The daemon cannot go on with this link: it says `bye` where the protocol still allows a line, and closes. */
export class ProtocolAbort extends Error {
  override readonly name = 'ProtocolAbort'
  /** Text for the client; undefined when nothing can be said any more (the middle of a literal). */
  readonly bye: string | undefined
  constructor(bye: string | undefined, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.bye = bye
  }
}

/** Nothing can be said over the link any more. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
  /** `lost`: the other end or the way to it is gone; `stopped`: this server could not wait for the session's end; `hung-up`: whoever started the session has. */
  readonly how: 'lost' | 'stopped' | 'hung-up'
  constructor(message: string, options: { readonly cause?: unknown; readonly how?: 'lost' | 'stopped' | 'hung-up' } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.how = options.how ?? 'lost'
  }
}
