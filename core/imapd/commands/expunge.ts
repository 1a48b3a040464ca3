import { sealCommand } from '../../api/index.js'
import { noArguments } from '../arguments.js'
import { Refused } from '../failure.js'

/** RFC 3501 §6.4.3. Only what this client has been told of goes: a message that another client marked and that it never saw stays. */
export const expunge = sealCommand({
  name: 'EXPUNGE',
  states: ['selected'],
  uidForm: 'no',
  mayReportExpunge: true,
  parse: noArguments,
  async run(_request: void, session) {
    const view = session.selected
    if (view.readOnly) throw new Refused('mailbox is read-only', { code: 'NOPERM' })
    if (view.announced > 0) await view.expunge(view.uidsOf(view.resolve({ pairs: Uint32Array.of(1, view.announced) }, 'seq')), session.signal)
    return { kind: 'ok' }
  },
})
