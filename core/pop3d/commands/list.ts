import type { Pop3Command } from '../../api/index.js'
import { messageNumber } from '../message-number.js'
import { liveSession } from '../session.js'

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
    await out.listing(drop.count, (n) => (drop.has(n) ? `${n} ${drop.size(n)}` : undefined))
    out.end()
    return { kind: 'sent' }
  },
}
