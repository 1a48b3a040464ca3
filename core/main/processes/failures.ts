import { MailError } from '../../api/index.js'
import type { MailProblem } from '../../api/index.js'
import type { Failure } from './messages.js'

/** Kinds that may cross: a login, an opening or a delivery ends in one of them. */
const PROBLEMS: ReadonlySet<string> = new Set<MailProblem>(['unavailable', 'unsupported', 'cancelled', 'limit', 'denied', 'not-found', 'exists', 'over-quota', 'corrupt', 'vanished', 'in-use', 'read-only'])

/** What another process is told; undefined: a fault of our own, of which it is told nothing. */
export function failureOf(error: unknown): Failure {
  return error instanceof MailError ? { problem: error.kind, text: error.message } : { text: 'internal error' }
}
/** The error again. */
export function errorOf({ problem, text }: Failure): Error {
  return problem !== undefined && PROBLEMS.has(problem) ? new MailError(problem as MailProblem, text) : new Error(text)
}
