import { MailError, type MailLocation } from 'mailwright/api'

/** Folder of a path. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash > 0 ? path.slice(0, slash) : '/'
}
/** Last component of a path. */
export function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
/** A folder and a name below it. */
export function below(folder: string, name: string): string {
  return folder.endsWith('/') ? folder + name : `${folder}/${name}`
}
/** A path below a mount in its one spelling; core has seen to it that `..` does not lead out. */
export function tidy(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts.join('/')
}
/** Whether the place is the user's INBOX, which formats may keep elsewhere. `INBOX/` is a directory. */
export function isInbox(at: MailLocation): boolean {
  return at.mount.class === 'personal' && !at.mount.prefix.startsWith('#') && !at.path.endsWith('/') && tidy(at.path).toUpperCase() === 'INBOX'
}
/** Directory of a mount. A root that is empty has no files: names below it lead elsewhere. */
export function rootOf(at: MailLocation): string {
  const { root } = at.mount
  if (!root.startsWith('/')) throw new MailError('not-found', 'no such mailbox')
  return root
}
/** Whether a system call failed with one of these codes. */
export function failedWith(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}
/** A failed system call as the problem of a mailbox. */
export function asProblem(error: unknown, what: string): unknown {
  if (failedWith(error, 'ENOENT', 'ENOTDIR')) return new MailError('not-found', `${what}: no such mailbox`, { cause: error })
  if (failedWith(error, 'EACCES', 'EPERM')) return new MailError('denied', `${what}: permission denied`, { cause: error })
  if (failedWith(error, 'EROFS')) return new MailError('read-only', `${what}: the file system is read-only`, { cause: error })
  if (failedWith(error, 'EEXIST', 'ENOTEMPTY')) return new MailError('exists', `${what}: mailbox already exists`, { cause: error })
  if (failedWith(error, 'ENOSPC')) return new MailError('unavailable', `${what}: the disk is full`, { cause: error })
  if (failedWith(error, 'EDQUOT')) return new MailError('over-quota', `${what}: disk quota exceeded`, { cause: error })
  if (failedWith(error, 'ENAMETOOLONG', 'ELOOP', 'EINVAL')) return new MailError('denied', `${what}: invalid name`, { cause: error })
  return error
}
