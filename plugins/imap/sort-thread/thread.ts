import type { ImapCommand, SearchCriteria, Threading } from 'mailwright/api'
import { numbering } from './sequence-numbers.js'
import { writeThreads } from './thread-lines.js'

interface ThreadRequest {
  /** Undefined: an algorithm that nobody brought. */
  readonly by: Threading | undefined
  readonly criteria: SearchCriteria
  readonly uid: boolean
}

/** THREAD and UID THREAD (RFC 5256 §3 "BASE.6.4.THREAD"). */
export const thread: ImapCommand<ThreadRequest, 'selected'> = {
  name: 'THREAD',
  states: ['selected'],
  uidForm: 'also',
  mayReportExpunge: false,
  parse(input, uid, session) {
    const by = session.grammar.threadings.get(input.atom().toUpperCase())
    input.space()
    return { by, criteria: session.grammar.searchCriteria(input, session), uid }
  },
  async run({ by, criteria, uid }, { selected: view, out, signal }) {
    // An atom is an algorithm by the grammar, so an unknown one is no mistake of syntax.
    if (by === undefined) return { kind: 'no', text: 'No such thread type' }
    const { term } = criteria.plan(uid)
    const trees = await view.threads(by, term, signal)
    out.raw('* THREAD')
    // Without a mod-sequence at the end, whatever the criteria are (RFC 7162 §3.1.9).
    await writeThreads(trees, uid ? (named) => named : numbering(view), out, signal)
    out.endLine()
    return { kind: 'ok' }
  },
}
