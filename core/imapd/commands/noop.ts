import { sealCommand } from '../../api/index.js'
import { noArguments } from '../arguments.js'
import { liveSession } from '../live.js'

/** RFC 3501 §6.1.2: the moment for news. */
export const noop = sealCommand({
  name: 'NOOP',
  states: ['not-authenticated', 'authenticated', 'selected'],
  uidForm: 'no',
  mayReportExpunge: true,
  parse: noArguments,
  async run(_request: void, session) {
    if (session.selected !== undefined) await liveSession(session).updates.look()
    return { kind: 'ok' }
  },
})
