/** The closed list from which each daemon has one table to wire text. */
export type MailProblem =
  | 'not-found'
  | 'exists'
  | 'read-only'
  | 'denied'
  | 'over-quota'
  | 'in-use'
  | 'limit'
  | 'corrupt'
  | 'unavailable'
  | 'unsupported'
  | 'cancelled'
  | 'vanished'
/** Thrown by everything below the daemons. */
export class MailError extends Error {
  override readonly name = 'MailError'
  readonly kind: MailProblem
  constructor(kind: MailProblem, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.kind = kind
  }
}
