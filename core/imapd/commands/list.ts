import { sealCommand } from '../../api/index.js'
import type { ImapCompletion, ImapCursor, ListPlan, MailSession, SealedCommand } from '../../api/index.js'
import { oneModifier, modifierList, wire } from '../arguments.js'
import type { Chosen } from '../arguments.js'
import { tablesIn } from '../extensions/grammar.js'
import { answerListing } from '../listing.js'

const OPEN = 0x28
interface ListRequest {
  readonly reference: string
  readonly patterns: readonly string[]
  readonly modifiers: readonly Chosen<ListPlan>[]
}

/** `LIST ref pattern`, and with extensions `LIST (options) ref (patterns) RETURN (options)` (RFC 5258 §3). */
function parseList(input: ImapCursor, session: MailSession, extended: boolean): ListRequest {
  const { listSelections, listReturns } = tablesIn(session)
  const c = wire(input)
  const modifiers: Chosen<ListPlan>[] = []
  if (extended && listSelections.size > 0 && c.peek() === OPEN) {
    modifiers.push(...modifierList(c, listSelections))
    c.space()
  }
  const reference = c.pattern()
  c.space()
  const several = extended && listReturns.size > 0 && c.peek() === OPEN
  const patterns = several ? c.list(() => c.pattern()) : [c.pattern()]
  if (extended && listReturns.size > 0 && !c.atEnd()) {
    c.space()
    if (!c.tryWord('RETURN')) c.end()
    c.space()
    modifiers.push(...c.list((one) => oneModifier(one, listReturns)))
  }
  c.end()
  return { reference, patterns, modifiers }
}

/** RFC 3501 §6.3.8 and §6.3.9, RFC 2193 §3. */
function listing(command: 'LIST' | 'LSUB' | 'RLIST' | 'RLSUB'): SealedCommand {
  const answer = command.endsWith('LSUB') ? 'LSUB' : 'LIST'
  return sealCommand({
    name: command,
    states: ['authenticated', 'selected'],
    uidForm: 'no',
    mayReportExpunge: true,
    parse: (input, _uid, session) => parseList(input, session, command === 'LIST'),
    async run({ reference, patterns, modifiers }, session): Promise<ImapCompletion> {
      const plan: ListPlan = { select: [], decorate: [], after: [], extended: [] }
      for (const { modifier, args } of modifiers) await modifier.apply(args, plan, session)
      return answerListing({ command, answer, reference, patterns, plan }, session)
    },
  })
}
export const list = listing('LIST')
export const lsub = listing('LSUB')
export const rlist = listing('RLIST')
export const rlsub = listing('RLSUB')
