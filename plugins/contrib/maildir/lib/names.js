import { isTextName, MailError } from 'mailwright/api'
import { decodeMailboxName, encodeMailboxName } from 'mailwright/toolkit'

/*
 * Maildir++: the INBOX is the Maildir itself, every other mailbox a folder in it whose name begins with a dot. Parts of a name are joined by dots
 * and written in modified UTF-7. Names that begin with two dots are nobody's mailboxes: what is being made or taken away.
 */

/** Folder of a mailbox. @throws MailError `denied` for a name that has no folder. */
export function folderNameOf(path, delimiter) {
  const parts = path.split(delimiter)
  if (parts.some((part) => part === '' || part.includes('/') || part.includes('\0') || part.includes('.') || part.startsWith('~'))) {
    throw new MailError('denied', `${path}: invalid Maildir name`)
  }
  const name = `.${parts.map((part) => encodeMailboxName(part)).join('.')}`
  if (Buffer.byteLength(name) > 255) throw new MailError('denied', `${path}: the name is too long`)
  return name
}
/** Mailbox of a folder; undefined when no client could name it. */
export function mailboxNameOf(folder, delimiter) {
  if (!folder.startsWith('.')) return undefined
  const parts = folder.slice(1).split('.')
  const names = parts.map((part) => {
    const { name, problem } = part.includes('&') ? decodeMailboxName(Buffer.from(part)) : { name: part, problem: undefined }
    return problem === undefined ? name : part
  })
  return names.some((name) => name === '' || /[\0\r\n\uFFFD/]/.test(name) || !isTextName(name)) ? undefined : names.join(delimiter)
}
