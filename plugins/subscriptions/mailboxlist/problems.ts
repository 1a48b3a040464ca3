import { failedWith, MailError } from 'mailwright/api'

/** Folder of a path. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash > 0 ? path.slice(0, slash) : '/'
}
/** A failed system call as the trouble that it is to the user. */
export function problemOf(error: unknown, what: string): unknown {
  if (error instanceof MailError || !(error instanceof Error) || !('code' in error)) return error
  if (failedWith(error, 'EACCES', 'EPERM', 'ELOOP')) return new MailError('denied', `${what}: permission denied`, { cause: error })
  if (failedWith(error, 'EROFS')) return new MailError('read-only', `${what}: the file system is read-only`, { cause: error })
  if (failedWith(error, 'ENOSPC')) return new MailError('unavailable', `${what}: the disk is full`, { cause: error })
  if (failedWith(error, 'EDQUOT')) return new MailError('over-quota', `${what}: disk quota exceeded`, { cause: error })
  return new MailError('unavailable', `${what}: ${error.message}`, { cause: error })
}
