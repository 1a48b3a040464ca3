import { sealCommand } from '../../api/index.js'
import type { CreatePlan, ImapCompletion } from '../../api/index.js'
import { modifierList, nameArgument } from '../arguments.js'
import type { Chosen, NameArgument } from '../arguments.js'
import { tablesIn } from '../extensions/grammar.js'
import { Refused, inWords } from '../failure.js'
import { checkedName } from '../places.js'
import { shown } from '../texts.js'

interface CreateRequest {
  readonly box: NameArgument
  readonly modifiers: readonly Chosen<CreatePlan>[]
}

/** RFC 3501 §6.3.3, with named arguments where an extension brings some (RFC 4466 §2.2). */
export const create = sealCommand({
  name: 'CREATE',
  states: ['authenticated', 'selected'],
  uidForm: 'no',
  mayReportExpunge: true,
  parse(input, _uid, session): CreateRequest {
    const box = nameArgument(input)
    let modifiers: readonly Chosen<CreatePlan>[] = []
    if (!input.atEnd()) {
      input.space()
      const table = tablesIn(session).create
      if (input.peek() === 0x28 && table.size > 0) modifiers = modifierList(input, table)
    }
    input.end()
    return { box, modifiers }
  },
  async run({ box, modifiers }, session): Promise<ImapCompletion> {
    if ('invalid' in box) throw new Refused(`Can't create ${box.invalid}`, { code: 'CANNOT' })
    const name = checkedName(box, session, 'CREATE')
    if (name === 'INBOX') throw new Refused("Can't create INBOX", { code: 'ALREADYEXISTS' })
    const plan: CreatePlan = { name, specialUse: [], created: [] }
    for (const { modifier, args } of modifiers) await modifier.apply(args, plan, session)
    const at = await inWords(session.mail.create(name, { specialUse: plan.specialUse }, session.signal), (reason) => `Can't create mailbox ${shown(name)}: ${reason}`)
    for (const created of plan.created) await created(at)
    return { kind: 'ok' }
  },
})
