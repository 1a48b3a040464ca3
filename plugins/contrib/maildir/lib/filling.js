import { failedWith, UNKNOWN } from 'mailwright/api'
import { baseOf, FILE } from './columns.js'
import { dateOfTime, sizesOf } from './file-name.js'
import { Finder } from './listing.js'
import { sizeOf } from './reading.js'

/**
 * Size and date of a row, as far as they are not known; a message is opened only for a size that its name does not say, or says of other octets than the file has. False:
 * it is gone, and what the row says then is a guess.
 */
export async function fillOne(folder, edit, row, finder = new Finder(folder)) {
  const { rows } = edit
  const found = await factsOf(folder, rows.column(FILE)[row], rows.size[row], finder)
  const { ms, zone } = dateOfTime(found?.mtimeMs ?? 0)
  edit.setDate(row, ms, zone)
  if (found === undefined) {
    if (rows.size[row] === UNKNOWN) edit.setSize(row, 0)
    return false
  }
  if (rows.size[row] !== found.size) edit.setSize(row, found.size)
  return true
}
async function factsOf(folder, file, size, finder) {
  const { files, path } = folder
  const { stored } = sizesOf(baseOf(file))
  const stat = size === UNKNOWN ? undefined : await files.stat(`${path}/${file}`)
  if (stat !== undefined && (stored ?? stat.size) === stat.size) return { mtimeMs: stat.mtimeMs, size }
  try {
    const open = await openMessage(folder, file, finder)
    if (open === undefined) return undefined
    try {
      const { kind, mtimeMs } = await open.stat()
      return { mtimeMs, size: kind === 'file' ? await sizeOf(open) : 0 }
    } finally {
      await open.close()
    }
  } catch (error) {
    // One that may not be read keeps nobody from the others.
    if (!failedWith(error, 'EACCES', 'EPERM')) throw error
    return files.stat(`${path}/${file}`)
  }
}
/** The file of a message, which may have been renamed since; undefined when it is gone. */
export async function openMessage({ files, path }, file, finder) {
  for (let at = file, tries = 0; at !== undefined && tries < 5; at = await finder.find(baseOf(file), at), tries++) {
    try {
      return await files.open(`${path}/${at}`, { keepAccessTime: true })
    } catch (error) {
      if (!failedWith(error, 'ENOENT')) throw error
    }
  }
  return undefined
}
