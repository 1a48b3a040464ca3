import type { Pop3Command } from '../../api/index.js'
import { liveSession } from '../session.js'

/** RFC 1939 §5: messages that are not deleted. Answered from columns. */
export const stat: Pop3Command = {
  name: 'STAT',
  states: ['transaction'],
  run(_args, session) {
    const { messages, octets } = liveSession(session).maildrop.figures
    return { kind: 'ok', text: `${messages} ${octets}` }
  },
}
