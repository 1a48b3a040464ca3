import type { Pop3Command } from '../../api/index.js'
import { liveSession } from '../session.js'

/** RFC 1939 §5: nothing that was said so far counts. */
export const rset: Pop3Command = {
  name: 'RSET',
  states: ['transaction'],
  run(_args, session) {
    liveSession(session).maildrop.reset()
    return { kind: 'ok', text: 'Reset state' }
  },
}
