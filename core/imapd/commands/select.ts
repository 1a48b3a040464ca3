import { SYSTEM, sealCommand } from '../../api/index.js'
import type { ImapCompletion, ImapWriter, Located, MailSession, MailboxName, MailboxView, SealedCommand, SelectPlan } from '../../api/index.js'
import { modifierList, nameArgument } from '../arguments.js'
import type { Chosen, NameArgument } from '../arguments.js'
import { tablesIn } from '../extensions/grammar.js'
import { Refused, inWords } from '../failure.js'
import { writeFlagLines } from '../flag-lines.js'
import { checkedName, isDirectory, place } from '../places.js'
import { shown } from '../texts.js'

interface SelectRequest {
  readonly box: NameArgument
  readonly modifiers: readonly Chosen<SelectPlan>[]
}

/** RFC 3501 §6.3.1 and §6.3.2: EXAMINE is SELECT that changes nothing; BBOARD of IMAP2bis examines a public mailbox. */
function opening(command: 'SELECT' | 'EXAMINE' | 'BBOARD'): SealedCommand {
  return sealCommand({
    name: command,
    states: ['authenticated', 'selected'],
    uidForm: 'no',
    mayReportExpunge: false,
    parse(input, _uid, session): SelectRequest {
      const box = command === 'BBOARD' ? publicName(nameArgument(input)) : nameArgument(input)
      let modifiers: readonly Chosen<SelectPlan>[] = []
      if (!input.atEnd()) {
        input.space()
        const { select } = tablesIn(session)
        if (input.peek() === 0x28 && select.size > 0) modifiers = modifierList(input, select)
      }
      input.end()
      return { box, modifiers }
    },
    async run({ box, modifiers }, session): Promise<ImapCompletion> {
      // Also when the new mailbox cannot be opened, the old one is no longer selected (RFC 3501 §6.3.1).
      const had = session.selected !== undefined
      await session.select(undefined)
      if (had && session.enabled.has('QRESYNC')) session.out.raw('* OK [CLOSED] Previous mailbox is closed').endLine()
      const name = checkedName(box, session, command)
      const plan: SelectPlan = { name, codes: [], opened: [] }
      for (const { modifier, args } of modifiers) await modifier.apply(args, plan, session)
      const words = (reason: string): string => `Can't open mailbox ${shown(name)}: ${reason}`
      const at = await selectable(session, name, command === 'SELECT' ? 'open' : 'examine', words)
      const readOnly = command !== 'SELECT' || session.mail.user.kind === 'anonymous'
      const view = await inWords(session.mail.open(at, readOnly ? 'read-only' : 'read-write', session.signal), words)
      await session.select(view)
      try {
        await announce(view, plan, session)
      } catch (error) {
        await session.select(undefined)
        throw error
      }
      return { kind: 'ok', code: { name: view.readOnly ? 'READ-ONLY' : 'READ-WRITE' } }
    },
  })
}
export const select = opening('SELECT')
export const examine = opening('EXAMINE')
export const bboard = opening('BBOARD')

/** Where a name leads; one that is a directory and nothing else exists, but is not to be selected. */
async function selectable(session: MailSession, name: MailboxName, purpose: 'open' | 'examine', words: (reason: string) => string): Promise<Located> {
  try {
    return await place(session, name, purpose, words)
  } catch (error) {
    if (!(error instanceof Refused) || error.code?.name !== 'NONEXISTENT' || !(await isDirectory(name, session))) throw error
    throw new Refused(`Can't open ${shown(name)}: not a selectable mailbox`, { code: 'CANNOT', cause: error })
  }
}
function publicName(box: NameArgument): NameArgument {
  return 'name' in box ? { name: `#public/${box.name.replace(/^\//, '')}` as MailboxName } : box
}

/** What a client is told of a mailbox that it selects, in the order of the original. */
async function announce(view: MailboxView, plan: SelectPlan, session: MailSession): Promise<void> {
  const { out } = session
  out.raw('* ').number(view.announced).raw(' EXISTS').endLine()
  out.raw('* ').number(view.recentCount).raw(' RECENT').endLine()
  if (view.uidValidity !== 0) out.raw('* OK [UIDVALIDITY ').number(view.uidValidity).raw('] UID validity status').endLine()
  out.raw('* OK [UIDNEXT ').number(view.uidNext).raw('] Predicted next UID').endLine()
  if (!view.uidsPersist) out.raw(`* NO [UIDNOTSTICKY] Non-permanent unique identifiers: ${shown(plan.name)}`).endLine()
  writeFlagLines(out, view)
  const unseen = firstUnseen(view)
  if (unseen > 0) out.raw('* OK [UNSEEN ').number(unseen).raw(`] first unseen message in ${shown(plan.name)}`).endLine()
  for (const hook of tablesIn(session).selected) await hook(view, out, session)
  for (const opened of plan.opened) await opened(view, out, session)
  for (const code of plan.codes) writeCode(out, code)
}
function writeCode(out: ImapWriter, code: SelectPlan['codes'][number]): void {
  out.raw('* OK [').raw(code.name)
  code.write?.(out)
  out.raw('] Ok').endLine()
}
/** Sequence number; 0: all are seen. */
function firstUnseen(view: MailboxView): number {
  const { flags, flagSets } = view.rows
  const seen = flagSets.map((set) => (set.system & SYSTEM.seen) !== 0)
  for (let row = 0; row < view.announced; row++) if (seen[flags[row]!] !== true) return row + 1
  return 0
}
