import { sealCommand } from '../../api/index.js'
import { noArguments } from '../arguments.js'
import { capabilityList } from '../capabilities.js'
import { liveSession } from '../live.js'

/** RFC 3501 §6.1.1. Before the login everything is listed, also what comes after it: the original does not trim by state. */
export const capability = sealCommand({
  name: 'CAPABILITY',
  states: ['not-authenticated', 'authenticated', 'selected'],
  uidForm: 'no',
  mayReportExpunge: true,
  parse: noArguments,
  async run(_request: void, session) {
    const live = liveSession(session)
    const list = capabilityList(live, live.mail === undefined ? 'all' : 'after')
    live.out.raw(`* CAPABILITY ${list.join(' ')}`).endLine()
    return { kind: 'ok' }
  },
})
