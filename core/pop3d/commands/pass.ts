import { secret } from '../../api/index.js'
import type { Pop3Command } from '../../api/index.js'
import { Refused } from '../failure.js'
import { retriesOf } from '../login-answer.js'
import { liveSession } from '../session.js'
import { credential, takesPasswords } from './user.js'

/** RFC 1939 §7: after USER alone. The password is all of the rest, with its spaces. */
export const pass: Pop3Command = {
  name: 'PASS',
  states: ['authorization'],
  offered: (session) => liveSession(session).named !== undefined && takesPasswords(session),
  async run(args, session) {
    const live = liveSession(session)
    if (args.rest.length === 0) throw new Refused('Missing password argument')
    const name = live.named ?? ''
    // Another try begins with USER.
    live.named = undefined
    // Octets that can be no password fail as a wrong one does, after the same time.
    const password = secret(credential(args.rest, live) ?? new Uint8Array(1))
    for (const extension of live.tables.made) {
      try {
        const source = await extension.password?.(name, password, live)
        if (source !== undefined) return { kind: 'login', login: { source, user: name } }
      } catch (error) {
        live.log.info('Error opening or locking INBOX', { user: name, error })
        return { kind: 'err', text: "Unable to open user's INBOX", after: 'quit' }
      }
    }
    return live.login(live.gate.password(name, password, live.peer, live.signal, retriesOf(live.tweaks)), 'Login', 'Bad login')
  },
}
