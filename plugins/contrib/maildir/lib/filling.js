import { failedWith, UNKNOWN } from 'mailwright/api'
import { baseOf, FILE } from './columns.js'
import { dateOfTime } from './file-name.js'
import { Finder } from './listing.js'
import { sizeOf } from './reading.js'

/** Size and date of a row, as far as they are not known; a message is opened only for a size that its name does not say. */
export async function fillOne(folder, edit, row, finder = new Finder(folder)) {
  const { files, path } = folder
  const { rows } = edit
  const file = rows.column(FILE)[row]
  let stat = rows.size[row] === UNKNOWN ? undefined : await files.stat(`${path}/${file}`)
  if (stat === undefined) {
    const open = await openMessage(folder, file, finder)
    if (open !== undefined) {
      try {
        stat = await open.stat()
        if (rows.size[row] === UNKNOWN) edit.setSize(row, await sizeOf(open))
      } finally {
        await open.close()
      }
    }
  }
  const { ms, zone } = dateOfTime(stat?.mtimeMs ?? 0)
  edit.setDate(row, ms, zone)
  if (edit.rows.size[row] === UNKNOWN) edit.setSize(row, 0)
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
