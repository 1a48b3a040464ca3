import type { Pop3Command, Pop3Session } from '../../api/index.js'
import { Refused } from '../failure.js'
import { liveSession } from '../session.js'
import type { LiveSession } from '../session.js'

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
    const live = liveSession(session)
    const name = Buffer.from(credential(args.rest, live) ?? BAD_UTF8).toString('utf8').replace(/^ +/, '')
    if (name === '') throw new Refused('Missing username argument')
    live.named = name
    return { kind: 'ok', text: 'User name accepted, password please' }
  },
}

/** A name that nobody has: what it is refused with is not told before PASS. */
const BAD_UTF8 = Buffer.from('\uFFFD')

/** The octets as the extensions read them; undefined: they can be no name or password. */
export function credential(octets: Uint8Array, session: LiveSession): Uint8Array | undefined {
  let read: Uint8Array | undefined = octets
  for (const extension of session.tables.made) if (read !== undefined && extension.credential !== undefined) read = extension.credential(read)
  return read
}
