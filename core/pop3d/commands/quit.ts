import { MailError } from '../../api/index.js'
import type { Pop3Command } from '../../api/index.js'
import { liveSession } from '../session.js'

/** The client may hang up at once; what it asked for is done all the same. */
const uncancelled = new AbortController().signal

/** RFC 1939 §4 and §6. What was marked is done, and is on the disk, before the answer. */
export const quit: Pop3Command = {
  name: 'QUIT',
  states: ['authorization', 'transaction'],
  async run(_args, session) {
    const live = liveSession(session)
    const { drop, log } = live
    if (drop !== undefined) {
      try {
        const { deleted, seen } = await drop.update(uncancelled)
        log.info('Update', { nmsgs: drop.source.total - deleted, ndele: deleted, nseen: seen })
      } catch (error) {
        if (!(error instanceof MailError)) throw error
        log.warn('Update failed', { error })
        return { kind: 'err', code: error.kind === 'in-use' ? 'IN-USE' : 'SYS/TEMP', text: 'some deleted messages not removed', after: 'quit' }
      } finally {
        // A client that comes again as soon as it reads the answer finds the maildrop free.
        await live.leave()
      }
    }
    return { kind: 'ok', text: 'Sayonara', after: 'quit' }
  },
}
