import { sealCommand } from '../../api/index.js'
import type { Found, ImapCompletion, ImapWriter, MailboxView, RowSet, SealedCommand, SearchPlan } from '../../api/index.js'
import { parseSearchCharset } from '../../wire/imap/search-program.js'
import { oneModifier, wire } from '../arguments.js'
import type { Chosen } from '../arguments.js'
import { tablesIn } from '../extensions/grammar.js'
import { checkCharset } from '../search-charset.js'
import { parseSearch, planOf } from '../search-term.js'
import type { ParsedSearch } from '../search-term.js'

/** Numbers between two looks at whether the client keeps up. */
const NUMBERS_PER_LOOK = 4096

interface SearchRequest extends ParsedSearch {
  readonly returns: readonly Chosen<SearchPlan>[] | undefined
  readonly uid: boolean
}

/** RFC 3501 §6.4.4; with RETURN where an extension brings results (RFC 4466 §2.6.1). */
export const search: SealedCommand = sealCommand({
  name: 'SEARCH',
  states: ['selected'],
  uidForm: 'also',
  mayReportExpunge: false,
  parse(input, uid, session): SearchRequest {
    const tables = tablesIn(session)
    const c = wire(input)
    let returns: readonly Chosen<SearchPlan>[] | undefined
    if (tables.searchReturns.size > 0 && c.tryWord('RETURN')) {
      c.space()
      returns = c.list((one) => oneModifier(one, tables.searchReturns))
      c.space()
    }
    const charset = parseSearchCharset(c) ?? 'US-ASCII'
    // RFC 3501 §6.4.4: an unknown charset is NO, before the keys are looked at.
    checkCharset(charset)
    const parsed = parseSearch(c, tables, session, charset)
    c.end()
    return { ...parsed, returns, uid }
  },
  async run({ returns, uid, ...parsed }, session): Promise<ImapCompletion> {
    const view = session.selected
    const { out, signal } = session
    const plan = planOf(parsed, session, { uid, extended: returns !== undefined })
    for (const { modifier, args } of returns ?? []) await modifier.apply(args, plan, session)
    const all = view.resolve({ pairs: Uint32Array.of(1, 0xffffffff) }, 'seq')
    const found: Found = { uids: await view.search(plan.term, view.uidsOf(all), signal) }
    for (const change of plan.result) await change(found)
    if (plan.extended) writeExtended(found, plan, out)
    else await writePlain(found, plan, view, out)
    return { kind: 'ok' }
  },
})

/** `* SEARCH 2 5 9`, also when there is nothing to say (RFC 3501 §7.2.5). */
async function writePlain(found: Found, plan: SearchPlan, view: MailboxView, out: ImapWriter): Promise<void> {
  out.raw('* SEARCH')
  const { pairs } = plan.uid ? { pairs: found.uids.ranges } : rowsOf(found, view)
  const first = plan.uid ? 0 : 1
  let written = 0
  for (let p = 0; p < pairs.length; p += 2) {
    for (let n = pairs[p]!; n <= pairs[p + 1]!; n++) {
      out.raw(' ').number(n + first)
      if (++written % NUMBERS_PER_LOOK !== 0) continue
      const wait = out.room()
      if (wait !== undefined) await wait
    }
  }
  for (const write of plan.write) write(found, out)
  out.endLine()
}
/** `* ESEARCH (TAG "A1") UID ...` (RFC 4466 §2.6.2). */
function writeExtended(found: Found, plan: SearchPlan, out: ImapWriter): void {
  out.raw('* ESEARCH (TAG ').string(Buffer.from(plan.tag, 'latin1')).raw(plan.uid ? ') UID' : ')')
  for (const write of plan.write) write(found, out)
  out.endLine()
}
function rowsOf(found: Found, view: MailboxView): RowSet {
  return view.resolve({ pairs: found.uids.ranges }, 'uid')
}
