import type { Pop3Command } from '../../api/index.js'
import { messageNumber } from '../message-number.js'
import { liveSession } from '../session.js'

/** Lines between two looks at whether the client keeps up. */
const LINES_PER_LOOK = 256

/** RFC 1939 §5. Answered from columns. */
export const list: Pop3Command = {
  name: 'LIST',
  states: ['transaction'],
  async run(args, session) {
    const live = liveSession(session)
    const { maildrop: drop, out } = live
    if (args.words.length > 0) {
      const n = messageNumber(args, live)
      return { kind: 'ok', text: `${n} ${drop.size(n)}` }
    }
    out.ok('Mailbox scan listing follows')
    for (let n = 1; n <= drop.count; n++) {
      if (drop.has(n)) out.number(n).raw(' ').number(drop.size(n)).endLine()
      const wait = n % LINES_PER_LOOK === 0 ? out.room() : undefined
      if (wait !== undefined) await wait
    }
    out.end()
    return { kind: 'sent' }
  },
}
