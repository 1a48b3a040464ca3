import { sealCommand } from '../../api/index.js'
import { noArguments } from '../arguments.js'
import { Refused } from '../failure.js'

/** RFC 3501 §6.2.1, RFC 2595 §3. The layer begins after the tagged line; input that came before it is dropped. */
export const starttls = sealCommand({
  name: 'STARTTLS',
  states: ['not-authenticated'],
  uidForm: 'no',
  mayReportExpunge: false,
  parse: noArguments,
  async run(_request: void, session) {
    if (session.peer.tls !== undefined) throw new Refused('Already in an SSL session', { bare: true })
    if (session.peer.startTls !== true) throw new Refused('This server does not support TLS', { bare: true })
    return { kind: 'ok', after: { wrap: { use: 'tls' } } }
  },
})
