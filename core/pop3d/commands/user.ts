import type { Pop3Command, Pop3Session } from '../../api/index.js'
import { Refused } from '../failure.js'
import { liveSession } from '../session.js'

/** USER and PASS do not exist where a password must not be sent. */
export function takesPasswords(session: Pop3Session): boolean {
  return session.gate.plaintext === undefined || session.gate.plaintext(session.peer)
}

/** RFC 1939 §7. Never tells whether there is such a user. */
export const user: Pop3Command = {
  name: 'USER',
  states: ['authorization'],
  offered: takesPasswords,
  run(args, session) {
    const name = Buffer.from(args.rest).toString('utf8').replace(/^ +/, '')
    if (name === '') throw new Refused('Missing username argument')
    liveSession(session).named = name
    return { kind: 'ok', text: 'User name accepted, password please' }
  },
}
