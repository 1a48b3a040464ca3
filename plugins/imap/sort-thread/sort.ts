import { Pace, uids } from 'mailwright/api'
import type { Found, ImapCommand, ImapCursor, ImapSession, SearchCriteria, SortKey } from 'mailwright/api'
import { numbering } from './sequence-numbers.js'

/** Numbers between two looks at whether the client keeps up, and others wait. */
const NUMBERS_PER_LOOK = 1024

const NOTHING: Found = { uids: uids.none }

interface SortRequest {
  readonly keys: readonly SortKey[]
  readonly criteria: SearchCriteria
  readonly uid: boolean
}

/** `["REVERSE" SP] sort-key` (RFC 5256 §5). */
function sortKey(input: ImapCursor, { grammar }: Pick<ImapSession, 'grammar'>): SortKey {
  const first = input.atom().toUpperCase()
  const reverse = first === 'REVERSE'
  if (reverse) input.space()
  const by = reverse ? input.atom().toUpperCase() : first
  const value = grammar.sortKeys.get(by)
  return value === undefined ? input.fail('a known sort criterion') : { by, reverse, value }
}

/** SORT and UID SORT (RFC 5256 §3 "BASE.6.4.SORT"). */
export const sort: ImapCommand<SortRequest, 'selected'> = {
  name: 'SORT',
  states: ['selected'],
  uidForm: 'also',
  mayReportExpunge: false,
  parse(input, uid, session) {
    const keys = input.list((c) => sortKey(c, session))
    if (keys.length === 0) input.fail('a sort criterion')
    input.space()
    return { keys, criteria: session.grammar.searchCriteria(input, session), uid }
  },
  async run({ keys, criteria, uid }, { selected: view, out, signal }) {
    const plan = criteria.plan(uid)
    plan.order = keys
    const sorted = await view.sort(plan.order, plan.term, signal)
    // Most keys have nothing to do with the result.
    const found: Found = plan.result.length + plan.write.length === 0 ? NOTHING : { uids: uids.from(sorted.slice().sort()), sorted }
    for (const change of plan.result) await change(found)
    const numberOf = uid ? undefined : numbering(view)
    const pace = new Pace(signal)
    out.raw('* SORT')
    let written = 0
    for (const named of sorted) {
      out.raw(' ').number(numberOf?.(named) ?? named)
      if (++written % NUMBERS_PER_LOOK !== 0) continue
      const wait = out.room()
      if (wait !== undefined) await wait
      if (pace.due()) await pace.turn()
    }
    // SORT ends as SEARCH does, with the highest mod-sequence of what was found, say (RFC 7162 §3.1.9).
    for (const write of plan.write) write(found, out)
    out.endLine()
    return { kind: 'ok' }
  },
}
