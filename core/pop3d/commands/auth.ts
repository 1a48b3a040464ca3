import type { Pop3Command } from '../../api/index.js'
import { SaslDialogue } from '../../session/sasl-dialogue.js'
import { decodeInitialResponse } from '../../wire/sasl/base64.js'
import { Refused } from '../failure.js'
import { retriesOf } from '../login-answer.js'
import { liveSession } from '../session.js'

const BAD = 'Bad authentication'

/** RFC 5034, RFC 1734. Without an argument it lists the mechanisms, as clients from before CAPA ask for them. */
export const auth: Pop3Command = {
  name: 'AUTH',
  states: ['authorization'],
  async run(args, session) {
    const live = liveSession(session)
    const [word, response] = args.words
    const mechanisms = live.gate.mechanisms(live.peer)
    if (word === undefined) {
      live.out.ok('Supported authentication mechanisms:')
      for (const name of mechanisms) live.out.raw(name).endLine()
      live.out.end()
      return { kind: 'sent' }
    }
    const mechanism = word.toUpperCase()
    const initial = response === undefined ? undefined : decodeInitialResponse(Buffer.from(response, 'latin1'))
    // A mechanism that cannot be used now is not told from one that does not exist.
    if (!mechanisms.includes(mechanism) || args.words.length > 2 || (response !== undefined && initial === undefined)) throw new Refused(BAD)
    const dialogue = new SaslDialogue((line) => live.ask(line))
    return live.login(live.gate.sasl(mechanism, initial, dialogue.ask, live.peer, live.signal, retriesOf(live.tweaks)), 'Auth', BAD)
  },
}
