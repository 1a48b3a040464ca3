import { MailError, SyntaxFailure } from '../api/index.js'
import type { ImapCompletion, MailProblem, ResponseCode } from '../api/index.js'
import type { Dialect } from '../session/dialects.js'

interface FailureRow {
  /** RFC 5530 §3; undefined: no code says it. */
  readonly code: string | undefined
  /** For the client: short, fixed and harmless. What happened in detail is in the log. */
  readonly text: string
}

/** What the daemons' one table is for IMAP: from the kind of a problem to the tagged NO. */
export const failureTable = {
  'not-found': { code: 'NONEXISTENT', text: 'no such mailbox' },
  exists: { code: 'ALREADYEXISTS', text: 'mailbox already exists' },
  'read-only': { code: 'NOPERM', text: 'mailbox is read-only' },
  denied: { code: 'NOPERM', text: 'access denied' },
  'over-quota': { code: 'OVERQUOTA', text: 'no room for more mail' },
  'in-use': { code: 'INUSE', text: 'mailbox is in use, try again' },
  limit: { code: 'LIMIT', text: 'a limit of this server is exceeded' },
  corrupt: { code: 'CORRUPTION', text: 'mailbox is damaged' },
  unavailable: { code: 'UNAVAILABLE', text: 'not available now, try again later' },
  unsupported: { code: 'CANNOT', text: 'this mailbox cannot do that' },
  cancelled: { code: undefined, text: 'cancelled' },
  vanished: { code: 'EXPUNGEISSUED', text: 'some of the messages no longer exist' },
} as const satisfies Record<MailProblem, FailureRow>

/** Done, although the client was wrong to ask (RFC 5530 §3). What is refused as BAD needs no code to say so. */
export const CLIENT_BUG: ImapCompletion = { kind: 'ok', code: { name: 'CLIENTBUG' } }

/** A refusal whose words a command chose; `text` follows `<COMMAND> failed: ` unless `bare`. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly code: ResponseCode | undefined
  readonly text: string
  readonly bare: boolean
  constructor(text: string, how: { readonly code?: string | ResponseCode | undefined; readonly bare?: boolean; readonly cause?: unknown } = {}) {
    super(text, how.cause === undefined ? undefined : { cause: how.cause })
    this.text = text
    this.code = typeof how.code === 'string' ? { name: how.code } : how.code
    this.bare = how.bare ?? false
  }
}

/** Arguments that are no arguments of ours, with the whole text of the BAD line. */
export class BadArgument extends SyntaxFailure {
  override readonly name = 'BadArgument'
  readonly text: string
  constructor(text: string, position = 0) {
    super(position, text)
    this.text = text
  }
}

/** Waits, and turns a MailError into a refusal in the command's own words, made from the harmless text of its kind. */
export async function inWords<T>(waited: Promise<T>, words: (reason: string, kind: MailProblem) => string): Promise<T> {
  try {
    return await waited
  } catch (cause) {
    if (!(cause instanceof MailError)) throw cause
    const row: FailureRow = failureTable[cause.kind]
    throw new Refused(words(row.text, cause.kind), { code: row.code, cause })
  }
}

/** The BAD line for arguments that could not be read (spec of generic lines). */
export function badLine(failure: SyntaxFailure, command: string): ImapCompletion {
  if (failure instanceof BadArgument) return { kind: 'bad', text: failure.text }
  if (failure.expected === 'the end of the command') return { kind: 'bad', text: `Argument given to ${command} when none expected` }
  return { kind: 'bad', text: `Missing or invalid argument to ${command}` }
}

/** The NO line of a failure that is somebody's answer; undefined: it is a bug, or the end of the session. */
export function refusal(error: unknown, command: string, dialect: Dialect): ImapCompletion | undefined {
  if (error instanceof Refused) return refusedLine(error, command, dialect)
  if (!(error instanceof MailError)) return undefined
  const row: FailureRow = failureTable[error.kind]
  const code = row.code === undefined ? undefined : { name: row.code }
  return no(code, reasoned(command, code, row.text, dialect))
}
/** The NO line of a refusal. */
export function refusedLine({ code, text, bare }: Refused, command: string, dialect: Dialect): ImapCompletion {
  return no(code, bare ? text : reasoned(command, code, text, dialect))
}
function no(code: ResponseCode | undefined, text: string): ImapCompletion {
  return { kind: 'no', ...(code === undefined ? {} : { code }), text }
}
function reasoned(command: string, code: ResponseCode | undefined, reason: string, { namesCommand }: Dialect): string {
  return namesCommand || code?.name === 'TRYCREATE' ? `${command} failed: ${reason}` : reason
}

/** What only the operator can mend; a warning. */
const OUTAGES: readonly MailProblem[] = ['unavailable', 'corrupt']
/** What the machine, its rules or the formats that were chosen for it refuse: users ask the operator about it. */
const REFUSALS: readonly MailProblem[] = ['denied', 'over-quota', 'in-use', 'unsupported']
/** The same when the system has said so: a session that only reads, or a limit of the protocol, is normal traffic. */
const BY_SYSTEM: readonly MailProblem[] = ['read-only', 'limit']

/** How loudly a refused command is told to the operator, and why it was refused; the client gets neither (RFC 5530 texts are harmless). */
export function operatorNote(error: unknown): { readonly level: 'warn' | 'info' | 'debug'; readonly reason: string } | undefined {
  const failure = error instanceof Refused ? error.cause : error
  if (!(failure instanceof MailError)) return undefined
  const { kind, message: reason, cause } = failure
  if (OUTAGES.includes(kind)) return { level: 'warn', reason }
  const bySystem = cause instanceof Error && 'code' in cause
  return { level: REFUSALS.includes(kind) || (bySystem && BY_SYSTEM.includes(kind)) ? 'info' : 'debug', reason }
}
