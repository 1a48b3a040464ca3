import { failedWith } from 'mailwright/api'
import { baseOf } from './columns.js'
import { INCOMING, markOf } from './folder.js'

/** Times of a folder that changed so lately may stay what they are at the next change. */
export const SUSPICIOUS_MS = 1000

/** In the order of their times. */
export const FOLDERS = Object.freeze(['cur', 'new'])
/** Places of the two in that order. */
export const [CUR, NEW] = [0, 1]
/** Of two names of one message the one in `cur` counts: it is listed last. */
const BY_RANK = Object.freeze([NEW, CUR])

/** Times of `cur` and `new`. */
export async function folderMarks({ files, path }) {
  const stats = await Promise.all(FOLDERS.map((name) => files.stat(`${path}/${name}`)))
  // A folder that lacks one of them lost it to somebody who tidied up; a mailbox has at least the other.
  if (stats.every((stat) => stat === undefined)) throw Object.assign(new Error(`${path} is gone`), { code: 'ENOENT' })
  return { folders: stats.map(markOf), times: stats.map((stat) => stat?.ctimeMs ?? 0) }
}
/** The same, and those of all else by which a change is told. */
export async function marksOf({ files, path }) {
  const [folders, list, keywords, incoming] = await Promise.all([folderMarks({ files, path }), ...['dovecot-uidlist', 'dovecot-keywords', INCOMING].map((name) => files.stat(`${path}/${name}`))])
  return { ...folders, list: { inode: list === undefined ? '' : `${list.inode}`, mark: markOf(list) }, keywords: markOf(keywords), incoming: incoming !== undefined }
}
/** A name with one can have no line in the UID list. */
const LINE_END = /[\r\n]/
/** Names of messages in a folder. */
export async function listFolder(files, path, folder) {
  const names = []
  try {
    for (const { name, kind } of await files.list(`${path}/${folder}`)) if (!name.startsWith('.') && kind !== 'directory' && !LINE_END.test(name)) names.push(name)
  } catch (error) {
    if (!failedWith(error, 'ENOENT')) throw error
  }
  return names
}
/** Files of messages in the folders. */
async function filesOf({ files, path }, places) {
  const found = []
  for (const place of BY_RANK) {
    if (!places.includes(place)) continue
    const folder = FOLDERS[place]
    for (const name of await listFolder(files, path, folder)) found.push(`${folder}/${name}`)
  }
  return found
}
/** What both folders hold, or the given ones, by base. */
export async function listingOf(folder, places = BY_RANK) {
  return byBase(await filesOf(folder, places))
}
export function byBase(files) {
  return new Map(files.map((file) => [baseOf(file), file]))
}
/** Files in the folders, listed once more while these change; `marks`: the times at which it was so, as far as times tell. */
export async function quietListing(folder, places) {
  let marks = await marksOf(folder)
  let files = await filesOf(folder, places)
  for (let tries = 0; tries < 5; tries++) {
    const after = await marksOf(folder)
    const quiet = places.every((place) => marks.folders[place] === after.folders[place])
    marks = after
    if (quiet) break
    files = await filesOf(folder, places)
  }
  return { marks, files }
}
/**
 * Looks again for files that seem to be gone, and puts what is there after all among the found. One that is renamed while its folder is listed may be in none of the
 * lists, also within one tick of the clock. `unless`: times of the folders at which they were listed; nothing is missed when they are still the same, and were not of
 * that moment (`now`).
 */
export async function lookAgain(folder, found, bases, unless, now) {
  const missed = bases.filter((base) => !found.has(base))
  if (missed.length === 0) return
  let before = await folderMarks(folder)
  if (unless !== undefined && sameFolders(unless, before) && Math.max(...before.times) < now - SUSPICIOUS_MS) return
  for (let tries = 0; tries < 5; tries++) {
    const again = await listingOf(folder)
    for (const base of missed) if (!found.has(base) && again.has(base)) found.set(base, again.get(base))
    const after = await folderMarks(folder)
    if (sameFolders(before, after) || missed.every((base) => found.has(base))) return
    before = after
  }
}
/** With the UID list locked: which of these are there, by what the folders hold now; whoever else holds the lock may have put some there while it was waited for. `known` are, whatever is listed. */
export async function stillThere(folder, known, bases) {
  const there = new Map(known)
  await lookAgain(folder, there, bases)
  return there
}
function sameFolders(some, others) {
  return some.folders.every((mark, i) => mark === others.folders[i])
}
/**
 * What came, by the list, before something that was found, and was not found itself: its number was given, and it came, after the folders were listed. It cannot be
 * put in later, because rows ascend.
 */
export function passedOver(found, uids, after) {
  let last = after
  for (const base of found.keys()) last = Math.max(last, uids.get(base) ?? 0)
  return [...uids].filter(([base, uid]) => uid > after && uid < last && !found.has(base)).map(([base]) => base)
}

/**
 * Finds files of messages that are not where the rows say, for one operation: the folders are listed once, and again only for what moved on meanwhile. Where something is
 * in no list, they are listed until they are quiet, because what is renamed meanwhile may be in none.
 */
export class Finder {
  #listing
  #again
  constructor(folder) {
    this.folder = folder
  }
  /** `missed`: where it was said to be and is not. Undefined: it is gone. */
  async find(base, missed) {
    const listing = this.#listing
    const isOld = listing === undefined || (await listing).get(base) === missed
    // Another one of this operation may have listed them meanwhile.
    if (isOld && this.#listing === listing) [this.#listing, this.#again] = [listingOf(this.folder), undefined]
    const found = (await this.#listing).get(base)
    if (found !== undefined) return found
    this.#again ??= allNames(this.folder)
    const late = (await this.#again).get(base)
    return late === missed ? undefined : late
  }
}
/** What the folders hold, of several listings while they change. */
async function allNames(folder) {
  const { files, path } = folder
  const marks = async () => (await Promise.all(FOLDERS.map((name) => files.stat(`${path}/${name}`)))).map(markOf).join()
  const found = new Map()
  let before = await marks()
  for (let tries = 0; tries < 5; tries++) {
    for (const [base, file] of await listingOf(folder)) found.set(base, file)
    const after = await marks()
    if (after === before) break
    before = after
  }
  return found
}
