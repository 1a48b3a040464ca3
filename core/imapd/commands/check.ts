import { sealCommand } from '../../api/index.js'
import { noArguments } from '../arguments.js'
import { liveSession } from '../live.js'

/** RFC 3501 §6.4.1: what is journalled is folded into the mailbox. Read-only, and for anonymous users, it does nothing. */
export const check = sealCommand({
  name: 'CHECK',
  states: ['selected'],
  uidForm: 'no',
  mayReportExpunge: false,
  parse: noArguments,
  async run(_request: void, session) {
    const view = session.selected
    if (!view.readOnly) await view.checkpoint(session.signal)
    await liveSession(session).updates.look()
    return { kind: 'ok' }
  },
})
