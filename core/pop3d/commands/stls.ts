import type { Pop3Command } from '../../api/index.js'
import { Refused } from '../failure.js'

/** RFC 2595 §4. The layer begins after the answer; input that came before it is dropped. */
export const stls: Pop3Command = {
  name: 'STLS',
  states: ['authorization'],
  run(_args, { peer }) {
    if (peer.tls !== undefined) throw new Refused('STLS failed: Already in an SSL session')
    if (peer.startTls !== true) throw new Refused('STLS failed: This server does not support TLS')
    return { kind: 'ok', text: 'STLS completed', after: { wrap: { use: 'tls' } } }
  },
}
