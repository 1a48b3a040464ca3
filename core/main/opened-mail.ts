import { LOGGER, MAIL_DOOR, MailError } from '../api/index.js'
import type { MailAccess, MailUser } from '../api/index.js'
import type { HostView } from '../kernel/kernel.js'
import { CommandFailure } from './exit-codes.js'
import { notServedBy } from './processes/model.js'

/** Takes the rights of the user whose mail is to be opened, in a process that serves nobody else. */
export type ActAs = (user: MailUser) => Promise<void>

/**
 * The mail of a user, opened in this process. The client is only told that it is not available; why, is in the log.
 * @throws MailError `unavailable` for an account with a uid other than that of this process; what the mail's door throws.
 */
export async function openedMail(host: HostView, user: MailUser, signal: AbortSignal, actAs?: ActAs): Promise<MailAccess & AsyncDisposable> {
  try {
    await actAs?.(user).catch((error: unknown) => {
      throw error instanceof CommandFailure ? new MailError('unavailable', error.message) : error
    })
    const other = notServedBy(process.getuid?.(), user)
    if (other !== undefined) throw new MailError('unavailable', other)
    return await host.get(MAIL_DOOR).open(user, signal)
  } catch (error) {
    if (error instanceof MailError && (error.kind === 'unavailable' || error.kind === 'corrupt')) {
      host.get(LOGGER).warn('mail cannot be opened', { user: user.name, host: host.id, why: error.message, ...(error.cause === undefined ? {} : { error: error.cause }) })
    }
    throw error
  }
}
