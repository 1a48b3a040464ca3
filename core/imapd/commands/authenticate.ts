import { MailError, SyntaxFailure, sealCommand } from '../../api/index.js'
import { decodeBase64 } from '../base64.js'
import { BadArgument } from '../failure.js'
import { liveSession } from '../live.js'
import { loginCompletion, retriesOf } from '../login-outcome.js'

const STAR = 42

/** RFC 3501 §6.2.2, with the initial response of RFC 4959 where that extension is on. */
export const authenticate = sealCommand({
  name: 'AUTHENTICATE',
  states: ['not-authenticated'],
  uidForm: 'no',
  mayReportExpunge: false,
  parse(input, _uid, session) {
    const mechanism = input.atom().toUpperCase()
    if (input.atEnd() || !session.grammar.has('sasl-ir')) {
      input.end()
      return { mechanism, initial: undefined }
    }
    input.space()
    const text = input.atEnd() ? '' : Buffer.from(input.astring()).toString('latin1')
    input.end()
    if (text === '') return { mechanism, initial: undefined }
    // "=" is an empty response, which is not the same as none (RFC 4959 §3).
    const initial = text === '=' ? new Uint8Array(0) : decodeBase64(Buffer.from(text, 'latin1'))
    return { mechanism, initial: initial ?? input.fail('base64') }
  },
  async run({ mechanism, initial }, session) {
    const live = liveSession(session)
    const what = `AUTHENTICATE ${mechanism}`
    // A mechanism that cannot be used now is not told from one that does not exist.
    if (!live.gate.mechanisms(live.peer).includes(mechanism)) throw new BadArgument(`Command unrecognized: ${what}`)
    let broken: SyntaxFailure | undefined
    const ask = async (challenge: Uint8Array): Promise<Uint8Array> => {
      const line = await live.ask(Buffer.from(Buffer.from(challenge).toString('base64'), 'latin1'))
      if (line.length === 1 && line[0] === STAR) broken = new BadArgument(`${what} cancelled`)
      const answer = broken === undefined ? decodeBase64(line) : undefined
      if (answer !== undefined) return answer
      // RFC 3501 §6.2.2: a cancelled exchange and an answer that cannot be decoded are both BAD.
      broken ??= new BadArgument(`Missing or invalid argument to ${what}`)
      throw new MailError('cancelled', 'the exchange was broken off by the client', { cause: broken })
    }
    try {
      return await loginCompletion(live.gate.sasl(mechanism, initial, ask, live.peer, live.signal, retriesOf(live.tweaks)), what, live)
    } catch (error) {
      if (broken !== undefined) throw broken
      throw error
    }
  },
})
