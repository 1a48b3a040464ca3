import { MailError, type MailProblem } from '../api/mail/error.js'

/** A failure as it crosses from thread to thread; a value. */
export interface Failure {
  readonly message: string
  readonly stack?: string
  readonly kind?: MailProblem
  /** Of a system error: `ENOSPC` and the like, by which callers tell failures apart. */
  readonly code?: string
  readonly cause?: Failure
}
/** Causes of causes; one that is its own cause would have no end. */
const MOST_CAUSES = 8

export function failureOf(error: unknown, deep = MOST_CAUSES): Failure {
  if (!(error instanceof Error)) return { message: String(error) }
  return {
    message: error.message,
    ...(error.stack !== undefined && { stack: error.stack }),
    ...(error instanceof MailError && { kind: error.kind }),
    ...('code' in error && typeof error.code === 'string' && { code: error.code }),
    ...(error.cause !== undefined && deep > 0 && { cause: failureOf(error.cause, deep - 1) }),
  }
}
export function errorOf({ message, stack, kind, code, cause }: Failure): Error {
  const options = cause === undefined ? undefined : { cause: errorOf(cause) }
  const error = kind === undefined ? new Error(message, options) : new MailError(kind, message, options)
  if (code !== undefined) Object.assign(error, { code })
  if (stack !== undefined) error.stack = stack
  return error
}
