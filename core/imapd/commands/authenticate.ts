import { sealCommand } from '../../api/index.js'
import type { SyntaxFailure } from '../../api/index.js'
import { SaslDialogue } from '../../session/sasl-dialogue.js'
import { decodeInitialResponse } from '../../wire/sasl/base64.js'
import { BadArgument } from '../failure.js'
import { liveSession } from '../live.js'
import { loginCompletion, retriesOf } from '../login-outcome.js'

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
    const word = input.atEnd() ? undefined : input.astring()
    input.end()
    if (word === undefined || word.length === 0) return { mechanism, initial: undefined }
    const initial = decodeInitialResponse(word)
    return { mechanism, initial: initial ?? input.fail('base64') }
  },
  async run({ mechanism, initial }, session) {
    const live = liveSession(session)
    const what = `AUTHENTICATE ${mechanism}`
    // A mechanism that cannot be used now is not told from one that does not exist.
    if (!live.gate.mechanisms(live.peer).includes(mechanism)) throw new BadArgument(`Command unrecognized: ${what}`)
    const dialogue = new SaslDialogue((challenge) => live.ask(challenge))
    try {
      return await loginCompletion(live.gate.sasl(mechanism, initial, dialogue.ask, live.peer, live.signal, retriesOf(live.tweaks)), what, live)
    } catch (error) {
      throw broken(dialogue, what, live.host.dialect.cancelled(what)) ?? error
    }
  },
})

/** RFC 3501 §6.2.2: a cancelled exchange and an answer that cannot be decoded are both BAD. */
function broken({ broken: how }: SaslDialogue, what: string, cancelled: string): SyntaxFailure | undefined {
  if (how === undefined) return undefined
  return how === 'unreadable' ? new BadArgument(`Missing or invalid argument to ${what}`) : new BadArgument(cancelled)
}
