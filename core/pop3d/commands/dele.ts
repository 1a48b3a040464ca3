import type { Pop3Command } from '../../api/index.js'
import { messageNumber } from '../message-number.js'
import { liveSession } from '../session.js'

/** RFC 1939 §5: marked; QUIT removes it. */
export const dele: Pop3Command = {
  name: 'DELE',
  states: ['transaction'],
  run(args, session) {
    const live = liveSession(session)
    const n = messageNumber(args, live)
    live.maildrop.markDeleted(n)
    live.maildrop.accessed(n)
    return { kind: 'ok', text: 'Message deleted' }
  },
}
