import type { ImapCommand, SequenceSet } from 'mailwright/api'

/** Removes those of the named messages that bear \Deleted, and no other (RFC 4315 §2.1). */
export const uidExpunge: ImapCommand<SequenceSet, 'selected'> = {
  name: 'EXPUNGE',
  states: ['selected'],
  uidForm: 'only',
  mayReportExpunge: true,
  parse(input) {
    const set = input.set()
    input.end()
    return set
  },
  async run(set, session) {
    const view = session.selected
    await view.expunge(view.uidsOf(view.resolve(set, 'uid')), session.signal)
    return { kind: 'ok' }
  },
}
