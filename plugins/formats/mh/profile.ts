import { failedWith } from 'mailwright/api'
import type { Files, MailUser } from 'mailwright/api'

/** Settings of the format. */
export interface MhSettings {
  readonly profile: string
  readonly path?: string | undefined
}
/** More of a profile is not read. */
const MOST = 1 << 16

/**
 * Folder of a user's MH mailboxes: the line `Path:` of the profile, absolute or below the home; `Mail` without one. Undefined without a profile: the user
 * has no MH mailboxes. A path that the site gives needs no profile.
 */
export async function mhPath(files: Files, user: MailUser, settings: MhSettings): Promise<string | undefined> {
  if (user.home === undefined) return undefined
  const below = (path: string): string => (path.startsWith('/') ? path : `${user.home ?? ''}/${path}`).replaceAll(/\/{2,}/g, '/').replace(/(.)\/$/, '$1')
  if (settings.path !== undefined) return below(settings.path)
  const text = await profileText(files, below(settings.profile))
  if (text === undefined) return undefined
  return below(pathIn(text) ?? 'Mail')
}
/** The value of the first line whose first word is `Path:`, in any letter case. */
export function pathIn(profile: string): string | undefined {
  const value = /^path:[ \t]*([^\r\n]*)/im.exec(profile)?.[1]?.trim()
  return value === '' ? undefined : value
}
async function profileText(files: Files, path: string): Promise<string | undefined> {
  try {
    const file = await files.open(path)
    try {
      const bytes = Buffer.alloc(MOST)
      return bytes.toString('utf8', 0, await file.read(bytes, 0))
    } finally {
      await file.close()
    }
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EISDIR')) return undefined
    throw error
  }
}
