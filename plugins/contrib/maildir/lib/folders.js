import { failedWith } from 'mailwright/api'

/**
 * Makes a folder and those above it, of the mode that a mailbox gets: a new account may have no home yet. What is there already stays. Where
 * changes are to be durable, its name is on the disk when it resolves.
 */
export async function makeFolders({ files, mailbox }, path, mode) {
  const above = path.slice(0, path.lastIndexOf('/')) || '/'
  try {
    await files.makeDirectory(path, mode)
  } catch (error) {
    if (failedWith(error, 'EEXIST')) return
    if (!failedWith(error, 'ENOENT') || above === path) throw error
    await makeFolders({ files, mailbox }, above, mode)
    return makeFolders({ files, mailbox }, path, mode)
  }
  if (mailbox.durability === 'full') await files.syncDirectory(above)
}
