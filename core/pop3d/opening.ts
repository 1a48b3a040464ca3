import { MailError, stateFolder } from '../api/index.js'
import type { Logger, MailAccess, MailboxName, MailboxSettings, MaildropHolder, MaildropLock, MaildropLocks, MaildropSource, Pop3Settings } from '../api/index.js'
import { Refused } from './failure.js'
import type { LoginDelays } from './login-delays.js'
import { ViewSource } from './view-source.js'

/** What opening a maildrop needs of the host. */
export interface OpeningParts {
  readonly settings: Pop3Settings
  readonly mailbox: MailboxSettings
  readonly locks: MaildropLocks
  readonly delays: LoginDelays
  readonly logger: Logger
}
/** A maildrop that is this session's until it is closed. */
export interface OpenedMaildrop {
  readonly source: MaildropSource
  readonly lock: MaildropLock | undefined
}

const INBOX = 'INBOX' as MailboxName
/** With two spaces, as clients know it. */
const IN_USE = "Can't get lock.  Mailbox in use"
/** POP3 has no words for a client that waits: it hears afterwards what was waited for. */
function inUse(by: string | undefined, cause?: unknown): Refused {
  return new Refused(by === undefined ? IN_USE : [`${IN_USE}: %1`, by], 'IN-USE', cause)
}

/**
 * Opens the INBOX of a login for one session alone.
 * @throws Refused with the text for the client, and the cause for the log.
 */
export async function openMaildrop(mail: MailAccess, holder: MaildropHolder, parts: OpeningParts, signal: AbortSignal): Promise<OpenedMaildrop> {
  let lock: MaildropLock | undefined
  let waitedFor: string | undefined
  using _waits = mail.hearWaits((text) => void (waitedFor = text))
  try {
    const at = await mail.locate(INBOX, 'open', signal)
    const key = await mail.keyOf(at, signal)
    const folder = stateFolder(parts.mailbox.stateDirectory, mail.user)
    lock = await parts.locks.acquire({ key, folder, holder, giveWayMs: parts.settings.timeouts.giveWayMs }, signal)
    if (lock === undefined) throw inUse(undefined)
    parts.delays.check(mail.user.name, lock.lastMs)
    const view = await mail.open(at, 'read-write', signal)
    try {
      // One that could read, and delete nothing, would fetch the same mail again and again.
      if (view.readOnly || (await view.heldElsewhere(signal))) throw inUse(waitedFor)
      const source = await ViewSource.of({ view, logger: parts.logger, expungeFlagged: parts.settings.expungeFlagged }, signal)
      await parts.delays.note(mail.user.name, lock)
      return { source, lock }
    } catch (error) {
      await view.close(signal)
      throw error
    }
  } catch (error) {
    await lock?.release()
    throw asRefusal(error, waitedFor)
  }
}

/** What the client is told: that somebody else has it, or that it cannot be opened. */
export function asRefusal(error: unknown, waitedFor?: string): unknown {
  if (!(error instanceof MailError)) return error
  if (error.kind === 'in-use') return inUse(waitedFor, error)
  return new Refused("Unable to open user's INBOX", error.kind === 'unavailable' || error.kind === 'limit' ? 'SYS/TEMP' : 'SYS/PERM', error)
}
