import { MailError } from '../api/index.js'
import type { MailProblem, Phrase, Pop3Completion } from '../api/index.js'

interface FailureRow {
  /** RFC 2449 §8.1.1, RFC 3206 §4; undefined: none says it. */
  readonly code: 'IN-USE' | 'SYS/TEMP' | 'SYS/PERM' | undefined
  /** For the client: short, fixed and harmless. What happened in detail is in the log. */
  readonly text: string
}

/** What the daemons' one table is for POP3: from the kind of a problem to the line with -ERR. */
export const failureTable = {
  'not-found': { code: 'SYS/PERM', text: 'No such mailbox' },
  exists: { code: 'SYS/PERM', text: 'Mailbox already exists' },
  'read-only': { code: 'SYS/PERM', text: 'Mailbox is read-only' },
  denied: { code: 'SYS/PERM', text: 'Access denied' },
  'over-quota': { code: 'SYS/PERM', text: 'No room for more mail' },
  'in-use': { code: 'IN-USE', text: 'Mailbox is in use, try again' },
  limit: { code: 'SYS/TEMP', text: 'A limit of this server is exceeded' },
  corrupt: { code: 'SYS/PERM', text: 'Mailbox is damaged' },
  unavailable: { code: 'SYS/TEMP', text: 'Not available now, try again later' },
  unsupported: { code: 'SYS/PERM', text: 'This mailbox cannot do that' },
  cancelled: { code: undefined, text: 'Cancelled' },
  vanished: { code: undefined, text: 'No such message' },
} as const satisfies Record<MailProblem, FailureRow>

/** A refusal in a command's own words. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly code: string | undefined
  readonly text: Phrase
  constructor(text: Phrase, code?: string, cause?: unknown) {
    super(typeof text === 'string' ? text : text[0], cause === undefined ? undefined : { cause })
    this.text = text
    this.code = code
  }
}

/** The answer to a failure that is somebody's answer; undefined: it is a bug, or the end of the session. */
export function refusal(error: unknown): Extract<Pop3Completion, { kind: 'ok' | 'err' }> | undefined {
  if (error instanceof Refused) return errLine(error.text, error.code)
  if (!(error instanceof MailError)) return undefined
  const row: FailureRow = failureTable[error.kind]
  return errLine(row.text, row.code)
}

/** Whether no client can do anything about it: a broken disk, a damaged mailbox. */
export function isOutage(error: unknown): boolean {
  const failure = error instanceof Refused ? error.cause : error
  return failure instanceof MailError && (failure.kind === 'unavailable' || failure.kind === 'corrupt')
}

function errLine(text: Phrase, code: string | undefined): Extract<Pop3Completion, { kind: 'ok' | 'err' }> {
  return { kind: 'err', text, ...(code === undefined ? {} : { code }) }
}
