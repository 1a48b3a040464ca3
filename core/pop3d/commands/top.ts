import type { Pop3Command } from '../../api/index.js'
import { parseNumber } from '../../wire/pop3/command-line.js'
import { Refused } from '../failure.js'
import { messageNumber } from '../message-number.js'
import { liveSession } from '../session.js'

/** RFC 1939 §7: the header and so many lines of the body. Does not count as reading. */
export const top: Pop3Command = {
  name: 'TOP',
  states: ['transaction'],
  async run(args, session) {
    const live = liveSession(session)
    const { maildrop: drop, out, signal } = live
    const n = messageNumber(args, live)
    const lines = parseNumber(args.words[1])
    if (lines === undefined) throw new Refused('Bad line count argument')
    const text = await drop.text(n, false, signal)
    if (text === undefined) throw new Refused('No such message')
    out.ok('Top of message follows')
    await text.send(out, lines, signal)
    drop.accessed(n)
    return { kind: 'sent' }
  },
}
