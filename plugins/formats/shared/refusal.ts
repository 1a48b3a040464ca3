import { MailError, failedWith } from 'mailwright/api'
import { reasonOf } from './locks/lock-context.js'
import { outOfRoom } from './changes/safe-changes.js'

/** Failures of the system as problems of a mailbox that is a folder. */
export function asRefusal(error: unknown, path: string): unknown {
  if (failedWith(error, 'ENOENT', 'ENOTDIR')) return new MailError('not-found', `${path} is gone`, { cause: error })
  if (failedWith(error, 'EACCES', 'EPERM')) return new MailError('denied', `${path}: ${reasonOf(error)}`, { cause: error })
  if (failedWith(error, 'EROFS')) return new MailError('read-only', `${path}: ${reasonOf(error)}`, { cause: error })
  return outOfRoom(error)
}
