import { SyntaxFailure, sealCommand, uids } from '../../api/index.js'
import type { FlagChange, ImapCompletion, ImapCursor, MailSession, RowSet, SealedFetchItem, StorePlan, StoreTarget, UidSet } from '../../api/index.js'
import type { FlagList } from '../../wire/imap/flags.js'
import { modifierList, rowsOf, setArgument, wire } from '../arguments.js'
import type { Chosen } from '../arguments.js'
import { tablesIn } from '../extensions/grammar.js'
import { writeFetchLines } from '../fetch-lines.js'
import { BadArgument, Refused } from '../failure.js'
import { boundItem } from '../items/bound-item.js'
import { FLAGS, UID } from '../items/columns.js'
import { commandKey } from '../texts.js'

const FLAG_TARGETS: Readonly<Record<string, { readonly how: FlagChange['how']; readonly silent: boolean }>> = {
  FLAGS: { how: 'replace', silent: false },
  'FLAGS.SILENT': { how: 'replace', silent: true },
  '+FLAGS': { how: 'add', silent: false },
  '+FLAGS.SILENT': { how: 'add', silent: true },
  '-FLAGS': { how: 'remove', silent: false },
  '-FLAGS.SILENT': { how: 'remove', silent: true },
}

type What =
  | { readonly kind: 'flags'; readonly how: FlagChange['how']; readonly silent: boolean; readonly flags: FlagList }
  | { readonly kind: 'other'; readonly target: StoreTarget<unknown>; readonly args: unknown }
interface StoreRequest {
  readonly rows: RowSet
  readonly what: What
  readonly modifiers: readonly Chosen<StorePlan>[]
  readonly uid: boolean
}

/** RFC 3501 §6.4.6. */
export const store = sealCommand({
  name: 'STORE',
  states: ['selected'],
  uidForm: 'also',
  mayReportExpunge: false,
  parse(input, uid, session): StoreRequest {
    const command = commandKey('STORE', uid)
    const tables = tablesIn(session)
    const set = setArgument(input, command)
    input.space()
    let modifiers: readonly Chosen<StorePlan>[] = []
    if (input.peek() === 0x28 && tables.store.size > 0) {
      modifiers = modifierList(input, tables.store)
      input.space()
    }
    const what = whatOf(input, tables.storeTargets, command)
    input.end()
    return { rows: rowsOf(session.selected, set, uid, command), what, modifiers, uid }
  },
  async run({ rows, what, modifiers, uid }, session): Promise<ImapCompletion> {
    const view = session.selected
    if (view.readOnly) throw new Refused('mailbox is read-only', { code: 'NOPERM' })
    // What an extension adds to every flag change (MODSEQ) belongs to this answer too, and is the whole of it after .SILENT (RFC 7162 §3.1.4.2, Example 14).
    const answerItems: SealedFetchItem[] = what.kind === 'flags' ? [...(what.silent ? [] : [FLAGS]), ...session.shape.changeItems] : []
    const plan: StorePlan = { view, uid, answerItems, codes: [] }
    for (const { modifier, args } of modifiers) await modifier.apply(args, plan, session)
    const refused = rows.count === 0 ? uids.none : await change(rows, what, plan, session)
    await answer(rows, refused, plan, uid, session)
    const codes = plan.codes.flatMap((code) => code(refused) ?? [])
    const [code] = codes
    return { kind: 'ok', ...(code === undefined ? {} : { code }) }
  },
})

function whatOf(input: ImapCursor, targets: ReadonlyMap<string, StoreTarget<unknown>>, command: string): What {
  const c = wire(input)
  try {
    const name = c.nameUpTo('(')
    const target = targets.get(name)
    if (target !== undefined) return { kind: 'other', target, args: target.parse(c) }
    const known = Object.hasOwn(FLAG_TARGETS, name) ? FLAG_TARGETS[name] : undefined
    if (known === undefined) return c.fail('FLAGS, +FLAGS or -FLAGS')
    c.space()
    return { kind: 'flags', ...known, flags: c.flags(true) }
  } catch (failure) {
    if (failure instanceof SyntaxFailure && !(failure instanceof BadArgument)) throw new BadArgument(`Bogus attribute list in ${command}`, failure.position)
    throw failure
  }
}

function change(rows: RowSet, what: What, plan: StorePlan, session: MailSession): Promise<UidSet> {
  if (what.kind === 'other') return what.target.run(what.args, rows, plan, session)
  const { how, flags } = what
  const conditional = plan.unchangedSince === undefined ? {} : { unchangedSince: plan.unchangedSince }
  const wanted: FlagChange = { uids: plan.view.uidsOf(rows), how, system: flags.system, keywords: flags.keywords, ...conditional }
  // Silent for the change log in any case: the answer below names every message, changed or not.
  return plan.view.store(wanted, true, session.signal)
}

/** RFC 3501 §6.4.6: the new value of every message that was named; those that a condition refused are named by a code instead. */
async function answer(rows: RowSet, refused: UidSet, plan: StorePlan, uid: boolean, session: MailSession): Promise<void> {
  if (plan.answerItems.length === 0 || rows.count === 0) return
  const items = plan.answerItems.map(boundItem)
  const named = uid && !items.some((i) => i.name === 'UID') ? [boundItem(UID), ...items] : items
  const keep = refused.count === 0 ? {} : { keep: (row: number, table: { readonly uid: Uint32Array }) => !refused.has(table.uid[row]!) }
  await writeFetchLines(rows, { view: plan.view, session, items: named, ...keep })
}
