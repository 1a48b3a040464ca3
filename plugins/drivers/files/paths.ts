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
