import type { Pop3Command } from '../../api/index.js'
import { liveSession } from '../session.js'

/** The highest number that was accessed, from before RFC 1939; some clients still ask for it. */
export const last: Pop3Command = {
  name: 'LAST',
  states: ['transaction'],
  run: (_args, session) => ({ kind: 'ok', text: String(liveSession(session).maildrop.last) }),
}
