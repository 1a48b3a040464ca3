import { MailError, failedWith, type FilePlace, type Files, type MailboxSettings } from 'mailwright/api'
import { folderOf, reasonOf } from './locks/lock-context.js'

/**
 * Makes the file of an INBOX, which comes into being with its first message. Any other mailbox was there when the delivery to it began: one that was
 * renamed or deleted since does not come back under its old name.
 *
 * @throws MailError `not-found` where it is no INBOX.
 */
export async function makeInboxFile({ files, mailbox }: { readonly files: Files; readonly mailbox: MailboxSettings }, { path, isInbox, fileMode }: FilePlace): Promise<void> {
  if (isInbox !== true) throw new MailError('not-found', `${path} is gone`)
  try {
    await (await files.open(path, { write: true, create: 'if-missing', mode: fileMode })).close()
    if (mailbox.durability === 'full') await files.syncDirectory(folderOf(path))
  } catch (error) {
    throw failedWith(error, 'EACCES', 'EPERM') ? new MailError('denied', reasonOf(error), { cause: error }) : error
  }
}
