import { ConnectionLost, MailError, ProtocolAbort } from '../../api/index.js'
import type { Pop3Command } from '../../api/index.js'
import { liveSession } from '../session.js'
import type { LiveSession } from '../session.js'

/** The client may hang up at once; what it asked for is done all the same. */
const uncancelled = new AbortController().signal

/**
 * RFC 1939 §4 and §6. What was marked is done, and is on the disk, before the answer. Whatever fails, the session ends here: it has no maildrop
 * any more, and "in no case may the server remove any messages not marked as deleted".
 */
export const quit: Pop3Command = {
  name: 'QUIT',
  states: ['authorization', 'transaction'],
  async run(_args, session) {
    const live = liveSession(session)
    const code = await update(live)
    return code === undefined ? { kind: 'ok', text: 'Sayonara', after: 'quit' } : { kind: 'err', code, text: 'some deleted messages not removed', after: 'quit' }
  },
}

/** The UPDATE state; the code of its failure, or undefined: all of it was done. */
async function update(live: LiveSession): Promise<'IN-USE' | 'SYS/TEMP' | undefined> {
  const { drop, log } = live
  if (drop === undefined) return undefined
  try {
    const { deleted, seen } = await drop.update(uncancelled)
    log.info('Update', { nmsgs: drop.source.total - deleted, ndele: deleted, nseen: seen })
    return undefined
  } catch (error) {
    if (error instanceof ProtocolAbort || error instanceof ConnectionLost) throw error
    // Anything that is no MailError is a bug, of this server or of a driver.
    log[error instanceof MailError ? 'warn' : 'error']('Update failed', { error })
    return error instanceof MailError && error.kind === 'in-use' ? 'IN-USE' : 'SYS/TEMP'
  } finally {
    // A client that comes again as soon as it reads the answer finds the maildrop free.
    await live.leave().catch((error: unknown) => log.warn('Maildrop lock was not released in order', { error }))
  }
}
