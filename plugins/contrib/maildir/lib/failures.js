import { MailError } from 'mailwright/api'

/** Whether a system call failed with one of these codes. */
export function failedWith(error, ...codes) {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}
/** A failed system call as the problem of a mailbox; what is one already stays. */
export function asProblem(error, what) {
  const problem = (kind, why) => new MailError(kind, `${what}: ${why}`, { cause: error })
  if (failedWith(error, 'ENOENT', 'ENOTDIR')) return problem('not-found', 'no such mailbox')
  if (failedWith(error, 'EACCES', 'EPERM')) return problem('denied', 'permission denied')
  if (failedWith(error, 'EROFS')) return problem('read-only', 'the file system is read-only')
  if (failedWith(error, 'EEXIST', 'ENOTEMPTY')) return problem('exists', 'mailbox already exists')
  if (failedWith(error, 'ENOSPC')) return problem('unavailable', 'the disk is full')
  if (failedWith(error, 'EDQUOT')) return problem('over-quota', 'disk quota exceeded')
  if (failedWith(error, 'ENAMETOOLONG', 'ELOOP', 'EINVAL')) return problem('denied', 'invalid name')
  return error
}
