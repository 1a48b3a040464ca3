import { failedWith } from 'mailwright/api'
import { baseOf } from './columns.js'
import { dateOfTime, sizesOf } from './file-name.js'
import { Finder } from './listing.js'

/** Messages that get their names at the same time. */
const PARALLEL = 16

/**
 * Gives messages of another mailbox a further name in `tmp` of a folder, so that no octet of them is copied: a file of a Maildir is never changed. What comes back
 * waits to arrive like messages that were written there. Undefined, and nothing is there: not all of them can be had in this way, which takes one Maildir (owners and
 * rights are then the same), names that tell both sizes (those are of this server or of Dovecot, which synced the octets), and dates that stay.
 */
export async function linkMessages(from, folder, messages, rows, unique, signal) {
  const { files, path, place } = folder
  if (from.folder.place.root !== place.root) return undefined
  const sources = from.placesOf(messages, rows)
  if (sources === undefined || sources.some((file) => isUnsized(sizesOf(baseOf(file))))) return undefined
  const finder = new Finder(from.folder)
  const made = []
  // Their numbers are those of the other mailbox.
  const one = async ({ system, keywords, date: kept }, file) => {
    const temporary = unique()
    const name = `${path}/tmp/${temporary}`
    if (!(await isLinked(from.folder, finder, file, name))) return false
    made.push(name)
    const [{ stored, size }, stat] = [sizesOf(baseOf(file)), await files.lstat(name)]
    if (stat === undefined || stat.kind !== 'file' || stat.size !== stored || stat.mode !== place.fileMode) return false
    const date = dateOfTime(stat.mtimeMs)
    if (kept !== undefined && (Math.floor(kept.ms / 1000) * 1000 !== date.ms || kept.zone !== date.zone)) return false
    return { item: { system, keywords }, temporary, stored, size, date, synced: undefined }
  }
  const taken = []
  try {
    for (let at = 0; at < messages.length; at += PARALLEL) {
      signal.throwIfAborted()
      taken.push(...(await settled(messages.slice(at, at + PARALLEL).map((message, i) => one(message, sources[at + i])))))
      if (taken.includes(false)) break
    }
    if (!taken.includes(false)) return taken
  } catch (error) {
    await removeAll(files, made)
    if (!failedWith(error, 'EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EACCES')) throw error
    return undefined
  }
  await removeAll(files, made)
  return undefined
}
function isUnsized({ stored, size }) {
  return stored === undefined || size === undefined
}
/** All of them have ended, so that nothing comes into being later; throws what the first of them did. */
async function settled(work) {
  const done = await Promise.allSettled(work)
  const failed = done.find(({ status }) => status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return done.map(({ value }) => value)
}
async function removeAll(files, names) {
  for (const name of names) await files.unlink(name)
}

/** Whether it got the name; otherwise it is gone. */
async function isLinked({ files, path }, finder, file, to) {
  for (let at = file, tries = 0; at !== undefined && tries < 5; at = await finder.find(baseOf(file), at), tries++) {
    try {
      await files.link(`${path}/${at}`, to)
      return true
    } catch (error) {
      if (!failedWith(error, 'ENOENT')) throw error
    }
  }
  return false
}
