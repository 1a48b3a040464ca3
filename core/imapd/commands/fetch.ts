import { MailError, SYSTEM, sealCommand } from '../../api/index.js'
import type { FetchPlan, ImapCompletion, MailSession, MailboxView, RowSet, SealedFetchItem, UidSet } from '../../api/index.js'
import { modifierList, rowsOf, setArgument } from '../arguments.js'
import type { Chosen } from '../arguments.js'
import { tablesIn } from '../extensions/grammar.js'
import { writeFetchLines } from '../fetch-lines.js'
import { BoundItem, boundItem, parseItems } from '../items/bound-item.js'
import { UID } from '../items/columns.js'
import { commandKey } from '../texts.js'

interface FetchRequest {
  readonly rows: RowSet
  readonly items: readonly BoundItem[]
  readonly modifiers: readonly Chosen<FetchPlan>[]
  readonly uid: boolean
}

/** RFC 3501 §6.4.5. */
export const fetch = sealCommand({
  name: 'FETCH',
  states: ['selected'],
  uidForm: 'also',
  mayReportExpunge: false,
  parse(input, uid, session): FetchRequest {
    const command = commandKey('FETCH', uid)
    const tables = tablesIn(session)
    const set = setArgument(input, command)
    input.space()
    const items = parseItems(input, tables, command)
    let modifiers: readonly Chosen<FetchPlan>[] = []
    if (!input.atEnd()) {
      input.space()
      if (input.peek() === 0x28 && tables.fetch.size > 0) modifiers = modifierList(input, tables.fetch)
    }
    input.end()
    // RFC 3501 §6.4.8: answers of UID FETCH name the uid, asked for or not.
    const named = uid && !items.some((i) => i.name === 'UID') ? [boundItem(UID), ...items] : items
    return { rows: rowsOf(session.selected, set, uid, command), items: named, modifiers, uid }
  },
  async run({ rows, items, modifiers, uid }, session): Promise<ImapCompletion> {
    const view = session.selected
    for (const bound of items) bound.item.asked?.(bound.args, session)
    const chosen: SealedFetchItem[] = [...items]
    const plan: FetchPlan = { view, rows, items: chosen, before: [], codes: [] }
    for (const { modifier, args } of modifiers) await modifier.apply(args, plan, session)
    for (const before of plan.before) await before(session.out)
    const keep = plan.keep === undefined ? {} : { keep: plan.keep }
    const { missing, toSee } = await writeFetchLines(plan.rows, { view, session, items: chosen.map(boundItem), ...keep })
    if (toSee.count > 0) await markSeen(view, toSee, session)
    const [code] = plan.codes
    if (missing > 0 && !uid) throw new MailError('vanished', 'some of the messages no longer exist')
    return { kind: 'ok', ...(code === undefined ? {} : { code }) }
  },
})

/** The text was sent, so it was seen; the news follow as lines of their own. A mailbox that cannot take the flag is read all the same. */
async function markSeen(view: MailboxView, among: UidSet, session: MailSession): Promise<void> {
  if (view.readOnly || !view.at.rights.includes('s')) return
  try {
    await view.store({ uids: among, how: 'add', system: SYSTEM.seen, keywords: [] }, false, session.signal)
  } catch (error) {
    if (!(error instanceof MailError) || !['read-only', 'denied', 'over-quota', 'unsupported'].includes(error.kind)) throw error
  }
}
