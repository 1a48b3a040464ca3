import { failedWith, MailError, type FilePlace, type Files, type OpenFile } from 'mailwright/api'

/** Names, in the mailbox's folder, of the file that makes it a mailbox: before it is whole, and from then on. */
export interface Making {
  readonly fresh: string
  readonly made: string
}

/**
 * The file under its fresh name, locked until it is closed: whoever has it makes the mailbox, by renaming it, and nobody else empties or removes what is in the folder.
 *
 * @throws MailError `exists` when somebody makes the mailbox, or has made it.
 */
export async function claimMaking(files: Files, { path, fileMode }: FilePlace, { fresh, made }: Making): Promise<OpenFile> {
  const file = await files.open(`${path}/${fresh}`, { write: true, create: 'if-missing', mode: fileMode })
  try {
    const isLocked = file.lock('flock', 'exclusive') !== 'busy'
    const isOurs = isLocked && (await files.stat(file.path))?.inode === (await file.stat()).inode
    if (isOurs && (await files.stat(`${path}/${made}`)) === undefined) return file
    if (isOurs) await files.unlink(file.path)
    throw new MailError('exists', `Can't create mailbox ${path}: mailbox already exists`)
  } catch (error) {
    await file.close()
    throw error
  }
}
/**
 * Until it is closed nobody makes a mailbox where one is removed, whose files would go with the others'; whoever removes it unlinks the file last. Undefined: a full disk has no room for it, and nothing is removed later for that.
 *
 * @throws MailError `in-use` when somebody makes a mailbox there.
 */
export async function keepMakersAway(files: Files, { path, fileMode }: FilePlace, fresh: string): Promise<OpenFile | undefined> {
  let file: OpenFile
  try {
    file = await files.open(`${path}/${fresh}`, { write: true, create: 'if-missing', mode: fileMode })
  } catch (error) {
    if (failedWith(error, 'ENOSPC', 'EDQUOT')) return undefined
    throw error
  }
  if (file.lock('flock', 'exclusive') !== 'busy') return file
  await file.close()
  throw new MailError('in-use', `Can't delete mailbox ${path}: another process is making it`)
}
