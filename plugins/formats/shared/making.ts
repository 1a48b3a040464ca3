import { failedWith, MailError, type FilePlace, type Files, type OpenFile } from 'mailwright/api'

/** Names, in the mailbox's folder, of the file that makes it a mailbox: before it is whole, and from then on. */
export interface Making {
  readonly fresh: string
  readonly made: string
}

/**
 * The file under a name that it has until it is whole, made where there is none, and locked until it is closed: whoever has it is the only one who fills and renames it.
 * Undefined: somebody else has it, or has just given it its other name.
 */
export async function lockFresh(files: Files, path: string, mode: number): Promise<OpenFile | undefined> {
  const file = await files.open(path, { write: true, create: 'if-missing', noFollow: true, mode })
  try {
    const isLocked = file.lock('flock', 'exclusive') !== 'busy'
    if (isLocked && (await files.lstat(path))?.inode === (await file.stat()).inode) return file
  } catch (error) {
    await file.close()
    throw error
  }
  await file.close()
  return undefined
}
/**
 * The file under its fresh name: until it is closed nobody else makes the mailbox, or empties or removes what is in the folder.
 *
 * @throws MailError `exists` when somebody makes the mailbox, or has made it.
 */
export async function claimMaking(files: Files, { path, fileMode }: FilePlace, { fresh, made }: Making): Promise<OpenFile> {
  const file = await lockFresh(files, `${path}/${fresh}`, fileMode)
  try {
    if (file !== undefined && (await files.stat(`${path}/${made}`)) === undefined) return file
    if (file !== undefined) await files.unlink(file.path)
    throw new MailError('exists', `Can't create mailbox ${path}: mailbox already exists`)
  } catch (error) {
    await file?.close()
    throw error
  }
}
/**
 * Until it is closed nobody makes a mailbox where one is removed, whose files would go with the others'; whoever removes it unlinks the file last. Undefined: a full disk has no room for it, and nothing is removed later for that.
 *
 * @throws MailError `in-use` when somebody makes a mailbox there.
 */
export async function keepMakersAway(files: Files, { path, fileMode }: FilePlace, fresh: string): Promise<OpenFile | undefined> {
  let file: OpenFile | undefined
  try {
    file = await lockFresh(files, `${path}/${fresh}`, fileMode)
  } catch (error) {
    if (failedWith(error, 'ENOSPC', 'EDQUOT')) return undefined
    throw error
  }
  if (file === undefined) throw new MailError('in-use', `Can't delete mailbox ${path}: another process is making it`)
  return file
}
