import { MailError } from 'mailwright/api'
import type { MailProblem } from 'mailwright/api'

/** Code and enhanced status code (RFC 2034). */
export type Outcome = readonly [code: number, status: string]
/** A reply to one command, or about one recipient. */
export interface Answer {
  readonly outcome: Outcome
  readonly text: string
}

/** Keeps a message in the queue of whoever sends it. */
const LATER: Outcome = [451, '4.3.0']
const NO_PERMISSION: Outcome = [550, '5.7.1']
const CANNOT_BE: Outcome = [552, '5.2.2']

/** Why an address has no mailbox. */
const OF_RECIPIENT: Readonly<Partial<Record<MailProblem, Outcome>>> = { 'not-found': [550, '5.1.1'], unsupported: [550, '5.1.3'], denied: NO_PERMISSION }
/**
 * Why a mailbox did not get a message: only what waiting cannot change is permanent; what an operator can mend is not: damage, permissions, a file system
 * that became read-only or is not mounted.
 */
const OF_DELIVERY: Readonly<Record<MailProblem, Outcome>> = {
  'not-found': LATER,
  exists: LATER,
  'read-only': LATER,
  denied: LATER,
  'over-quota': CANNOT_BE,
  'in-use': LATER,
  limit: CANNOT_BE,
  corrupt: LATER,
  unavailable: LATER,
  unsupported: CANNOT_BE,
  cancelled: LATER,
  vanished: LATER,
}

/** What a failure to find a mailbox, or to deliver to one, is answered with. A fault of our own is told by no detail. */
export function refusal(error: unknown, of: 'recipient' | 'delivery'): Answer {
  if (!(error instanceof MailError)) return { outcome: LATER, text: 'internal error' }
  return { outcome: (of === 'recipient' ? OF_RECIPIENT : OF_DELIVERY)[error.kind] ?? LATER, text: error.message }
}
/** One line, with its CRLF; what would break it is left out. */
export function replyLine([code, status]: Outcome, text: string): string {
  return `${code} ${status} ${text.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 400)}\r\n`
}
