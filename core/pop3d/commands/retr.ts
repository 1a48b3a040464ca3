import type { Pop3Command } from '../../api/index.js'
import { Refused } from '../failure.js'
import { messageNumber } from '../message-number.js'
import { liveSession } from '../session.js'

/** RFC 1939 §5. That it was read is noted, and becomes true at QUIT. */
export const retr: Pop3Command = {
  name: 'RETR',
  states: ['transaction'],
  async run(args, session) {
    const live = liveSession(session)
    const { maildrop: drop, out, signal } = live
    const n = messageNumber(args, live)
    const text = await drop.text(n, true, signal)
    if (text === undefined) throw new Refused('No such message')
    out.ok(['%1 octets', text.octets])
    await text.send(out, undefined, signal)
    drop.accessed(n)
    drop.markSeen(n)
    return { kind: 'sent' }
  },
}
