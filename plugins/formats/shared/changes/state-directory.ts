import { stateFolder, type Clock, type MailboxSettings, type MailUser } from 'mailwright/api'

/** Folder of the user's state, the same that core uses. */
export function stateDirectory(settings: Pick<MailboxSettings, 'stateDirectory'>, user: MailUser): string {
  return stateFolder(settings.stateDirectory, { ...user, home: user.home ?? '/' }) ?? '/'
}
/** Unix time, whole seconds. */
export function nowSeconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000)
}
