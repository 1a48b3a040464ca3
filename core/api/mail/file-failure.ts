import { MailError, type MailProblem } from './error.js'

/** Whether a system call failed with one of these codes (`ENOENT`). */
export function failedWith(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

interface Row {
  readonly codes: readonly string[]
  readonly kind: MailProblem
  readonly why: string
}
const ROWS: readonly Row[] = [
  { codes: ['ENOENT', 'ENOTDIR'], kind: 'not-found', why: 'no such mailbox' },
  { codes: ['EACCES', 'EPERM'], kind: 'denied', why: 'permission denied' },
  { codes: ['EROFS'], kind: 'read-only', why: 'the file system is read-only' },
  { codes: ['EEXIST', 'ENOTEMPTY'], kind: 'exists', why: 'mailbox already exists' },
  { codes: ['ENOSPC'], kind: 'unavailable', why: 'the disk is full' },
  { codes: ['EDQUOT'], kind: 'over-quota', why: 'disk quota exceeded' },
  { codes: ['ENAMETOOLONG', 'ELOOP', 'EINVAL'], kind: 'denied', why: 'invalid name' },
]
/** A failed system call on a mailbox as the problem that it is to the user; `what` begins the text. What is no such failure is answered as it is. */
export function fileFailure(error: unknown, what: string): unknown {
  const row = ROWS.find(({ codes }) => failedWith(error, ...codes))
  return row === undefined ? error : new MailError(row.kind, `${what}: ${row.why}`, { cause: error })
}
