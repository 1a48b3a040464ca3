import { sealCommand, secret } from '../../api/index.js'
import { liveSession } from '../live.js'
import { loginCompletion, retriesOf } from '../login-outcome.js'

/** RFC 3501 §6.2.3. Where plaintext is refused the gate answers as to a wrong password, so that nothing is learned from it. */
export const login = sealCommand({
  name: 'LOGIN',
  states: ['not-authenticated'],
  uidForm: 'no',
  mayReportExpunge: false,
  parse(input) {
    const user = Buffer.from(input.astring()).toString('utf8')
    input.space()
    const password = secret(input.astring())
    input.end()
    return { user, password }
  },
  async run({ user, password }, session) {
    const live = liveSession(session)
    if (live.gate.plaintext?.(live.peer) === false) {
      // The attempt is counted and logged by the gate; the code tells an honest client what to do (RFC 5530 §3).
      const refused = await loginCompletion(live.gate.password(user, password, live.peer, live.signal), 'LOGIN', live)
      return refused.kind === 'no' && refused.code?.name === 'AUTHENTICATIONFAILED' ? { ...refused, code: { name: 'PRIVACYREQUIRED' } } : refused
    }
    return loginCompletion(live.gate.password(user, password, live.peer, live.signal, retriesOf(live.tweaks)), 'LOGIN', live)
  },
})
