import { MailError, sealCommand, secret } from '../../api/index.js'
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
    // Anybody's name, where it is let in, proves nothing: what stands for the password is the trace of RFC 4505.
    if (user.toLowerCase() === 'anonymous' && live.gate.offers?.('ANONYMOUS', live.peer) === true) {
      return loginCompletion(live.gate.sasl('ANONYMOUS', password.reveal(), nothingToAsk, live.peer, live.signal), 'LOGIN', live)
    }
    if (live.gate.plaintext?.(live.peer) === false) {
      // The attempt is counted and logged by the gate; the code tells an honest client what to do (RFC 5530 §3).
      const refused = await loginCompletion(live.gate.password(user, password, live.peer, live.signal), 'LOGIN', live)
      return refused.kind === 'no' && refused.code?.name === 'AUTHENTICATIONFAILED' ? { ...refused, code: { name: 'PRIVACYREQUIRED' } } : refused
    }
    return loginCompletion(live.gate.password(user, password, live.peer, live.signal, retriesOf(live.tweaks)), 'LOGIN', live)
  },
})

function nothingToAsk(): Promise<Uint8Array> {
  return Promise.reject(new MailError('cancelled', 'LOGIN is no dialogue'))
}
