import { MailError, failedWith, type Files } from 'mailwright/api'
import { folderOf } from './locks/lock-context.js'
import { closeRead } from './small-read.js'

/** Whether the file may be written; one that is missing may come to be. */
export async function isWritable(files: Files, path: string): Promise<boolean> {
  try {
    const file = await files.open(path, { write: true })
    closeRead(file)
    return true
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return true
    if (failedWith(error, 'EACCES', 'EPERM', 'EROFS')) return false
    throw new MailError('unavailable', `Can't open mailbox ${path}`, { cause: error })
  }
}

/** The folder of a mailbox that is no more; it stays when it holds other mailboxes. */
export async function removeEmptyFolder(files: Files, path: string, durable: boolean): Promise<void> {
  try {
    await files.removeDirectory(path)
  } catch (error) {
    if (!failedWith(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) throw error
    return
  }
  if (durable) await files.syncDirectory(folderOf(path))
}
/** Makes a folder and those above it, so that they last. */
export async function makeFolders(files: Files, path: string): Promise<void> {
  if ((await files.stat(path)) !== undefined) return
  await makeFolders(files, folderOf(path))
  try {
    await files.makeDirectory(path, 0o700)
    await files.syncDirectory(folderOf(path))
  } catch (error) {
    if (!failedWith(error, 'EEXIST')) throw error
  }
}
