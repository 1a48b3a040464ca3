import { sealCommand, uids } from '../../api/index.js'
import { noArguments } from '../arguments.js'

/** RFC 3501 §6.4.2: removes what is marked deleted, says nothing of it, and leaves the mailbox. Nothing is removed where nothing may be. */
export const close = sealCommand({
  name: 'CLOSE',
  states: ['selected'],
  uidForm: 'no',
  mayReportExpunge: false,
  parse: noArguments,
  async run(_request: void, session) {
    const view = session.selected
    const known = view.announced === 0 ? uids.none : view.uidsOf(view.resolve({ pairs: Uint32Array.of(1, view.announced) }, 'seq'))
    // RFC 4314 §4: without the right "e" CLOSE is as good as UNSELECT.
    if (!view.readOnly && known.count > 0 && view.at.rights.includes('e')) await view.expunge(known, session.signal)
    await session.select(undefined)
    return { kind: 'ok' }
  },
})
