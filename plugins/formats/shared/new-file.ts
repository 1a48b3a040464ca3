import { failedWith } from 'mailwright/api'
import type { FilePlace, Files, MailboxSettings } from 'mailwright/api'
import { folderOf, nameOf } from './locks/lock-context.js'
import type { FileLocks } from './locks/locks.js'
import { REDO_SUFFIX } from './changes/redo-places.js'

/** What making a file needs of the host. */
interface Context {
  readonly files: Files
  readonly locks: Pick<FileLocks, 'machine' | 'random'>
  readonly mailbox: MailboxSettings
}

/**
 * Makes a file that gets its name when its octets are on the disk: one that a crash tears would be no mailbox, and in the way of another. False where
 * the file system has no second names for a file; nothing was made then.
 *
 * @throws EEXIST when the name is taken.
 */
export async function makeWhole({ files, locks, mailbox }: Context, at: FilePlace, octets: Uint8Array): Promise<boolean> {
  // A name that is not listed, and nobody else's.
  const beginning = `${folderOf(at.path)}/.${nameOf(at.path)}${REDO_SUFFIX}.${locks.machine.pid}-${Buffer.from(locks.random(6)).toString('hex')}`
  if ((await files.lstat(beginning)) !== undefined) await files.unlink(beginning)
  const file = await files.open(beginning, { write: true, create: 'new', mode: at.fileMode })
  try {
    await file.write([octets], 0)
    if (mailbox.durability === 'full') await file.sync()
    await files.link(beginning, at.path)
    return true
  } catch (error) {
    if (failedWith(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK')) return false
    throw error
  } finally {
    await file.close()
    await files.unlink(beginning)
  }
}
