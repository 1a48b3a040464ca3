import { MailError, type MailProblem } from '../../api/index.js'
import { CommandFailure, EXIT } from '../exit-codes.js'
import { EmptyMessage } from './message.js'

/**
 * What a mail transport is told of each problem (sysexits.h): it tries again after 75 and returns the message to its sender after all others.
 * So only what waiting cannot change is permanent; damage, permissions and an INBOX whose place is missing or taken (a file system that is not mounted),
 * which an operator can mend, are not.
 */
const OF_PROBLEM: Readonly<Record<MailProblem, number>> = {
  'not-found': EXIT.temporary,
  exists: EXIT.temporary,
  'read-only': EXIT.temporary,
  denied: EXIT.temporary,
  'over-quota': EXIT.cannotCreate,
  'in-use': EXIT.temporary,
  limit: EXIT.cannotCreate,
  corrupt: EXIT.temporary,
  unavailable: EXIT.temporary,
  unsupported: EXIT.cannotCreate,
  cancelled: EXIT.temporary,
  vanished: EXIT.temporary,
}
/** Faults of the configuration or of the call say nothing about the message: it waits until they are mended. */
const WAITS: readonly number[] = [EXIT.usage, EXIT.configuration, EXIT.bug, EXIT.failed]

/** The code of a failed delivery. */
export function deliveryExitCode(error: unknown): number {
  if (error instanceof MailError) return OF_PROBLEM[error.kind]
  if (error instanceof EmptyMessage) return EXIT.badData
  if (error instanceof CommandFailure) return patient(error.exitCode)
  return EXIT.temporary
}
/** An exit code of other parts of the program as one that keeps mail in the queue. */
export function patient(code: number): number {
  return WAITS.includes(code) ? EXIT.temporary : code
}
