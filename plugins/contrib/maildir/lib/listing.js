import { failedWith } from 'mailwright/api'
import { parseName } from './file-name.js'
import { INCOMING, markOf } from './folder.js'

/** Times of a folder that changed so lately may stay what they are at the next change. */
export const SUSPICIOUS_MS = 1000

/** In the order of their times. */
export const FOLDERS = Object.freeze(['cur', 'new'])

/** Times of `cur` and `new`. */
export async function folderMarks({ files, path }) {
  const [cur, fresh] = await Promise.all(FOLDERS.map((name) => files.stat(`${path}/${name}`)))
  // A folder that lacks one of them lost it to somebody who tidied up; a mailbox has at least the other.
  if (cur === undefined && fresh === undefined) throw Object.assign(new Error(`${path} is gone`), { code: 'ENOENT' })
  return { folders: [markOf(cur), markOf(fresh)], latest: Math.max(cur?.ctimeMs ?? 0, fresh?.ctimeMs ?? 0) }
}
/** The same, and those of all else by which a change is told. */
export async function marksOf({ files, path }) {
  const [folders, list, keywords, incoming] = await Promise.all([folderMarks({ files, path }), ...['dovecot-uidlist', 'dovecot-keywords', INCOMING].map((name) => files.stat(`${path}/${name}`))])
  return { ...folders, list: list === undefined ? '' : `${list.inode}`, keywords: markOf(keywords), incoming: incoming !== undefined }
}
export function sameFolders(some, others) {
  return some.folders.every((mark, i) => mark === others.folders[i])
}
/** What both folders hold, or the given ones, by base. Of two names of one message the one in `cur` counts. */
export async function listingOf({ files, path }, folders = ['new', 'cur']) {
  const found = new Map()
  for (const where of folders) {
    try {
      for (const { name, kind } of await files.list(`${path}/${where}`)) {
        if (name.startsWith('.') || kind === 'directory') continue
        const parsed = parseName(name)
        found.set(parsed.base, { ...parsed, where: `${where}/${parsed.info}` })
      }
    } catch (error) {
      if (!failedWith(error, 'ENOENT')) throw error
    }
  }
  return found
}
/**
 * What came, by the list, before something that was found, and was not found itself: its number was given, and it came, after the folders were listed. It cannot be
 * put in later, because rows ascend.
 */
export function passedOver(found, { uids }, after) {
  let last = after
  for (const base of found.keys()) last = Math.max(last, uids.get(base) ?? 0)
  return [...uids].filter(([base, uid]) => uid > after && uid < last && !found.has(base)).map(([base]) => base)
}
