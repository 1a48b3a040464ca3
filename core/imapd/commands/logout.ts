import { sealCommand } from '../../api/index.js'
import { noArguments } from '../arguments.js'
import { liveSession } from '../live.js'

/** RFC 3501 §6.1.3. The mailbox is closed without expunge before the goodbye, so that its changes are safe when the client reads it. */
export const logout = sealCommand({
  name: 'LOGOUT',
  states: ['not-authenticated', 'authenticated', 'selected'],
  uidForm: 'no',
  mayReportExpunge: false,
  parse: noArguments,
  async run(_request: void, session) {
    await session.select(undefined)
    session.out.raw(`* BYE ${liveSession(session).host.serverName} IMAP4rev1 server terminating connection`).endLine()
    return { kind: 'ok', after: 'logout' }
  },
})
