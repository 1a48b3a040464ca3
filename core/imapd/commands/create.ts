import { MailError, sealCommand } from '../../api/index.js'
import type { CreatePlan, ImapCompletion, Located, MailSession, MailboxName } from '../../api/index.js'
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
    const at = await created(name, plan, session)
    for (const then of plan.created) await then(at)
    return { kind: 'ok' }
  },
})

async function created(name: MailboxName, plan: CreatePlan, session: MailSession): Promise<Located> {
  try {
    return await session.mail.create(name, { specialUse: plan.specialUse }, session.signal)
  } catch (cause) {
    const inTheWay = cause instanceof MailError && cause.kind === 'exists' ? await mailboxAbove(name, session) : undefined
    // A mailbox that is a file has no room for others below it (FAQ 7.3).
    if (inTheWay !== undefined) throw new Refused(`Can't create mailbox node ${shown(inTheWay)}: File exists`, { code: 'CANNOT', cause })
    const forced = /^#driver\.([^/\\:]*)[/\\:]?(.*)$/is.exec(name)
    if (cause instanceof MailError && cause.kind === 'not-found' && forced !== null) {
      const [, format = '', rest = ''] = forced
      const why = format === '' || rest === '' ? `no name of a mailbox behind it, as in #driver.${shown(format || 'mbx')}/NAME` : 'unknown driver'
      throw new Refused(`Can't create mailbox ${shown(name)}: ${why}`, { code: 'CANNOT', cause })
    }
    return await inWords(Promise.reject(cause), (reason) => `Can't create mailbox ${shown(name)}: ${reason}`)
  }
}
/** The lowest name above this one that is a mailbox and takes no mailboxes below it. */
async function mailboxAbove(name: MailboxName, session: MailSession): Promise<MailboxName | undefined> {
  for (let end = name.lastIndexOf('/'); end > 0; end = name.lastIndexOf('/', end - 1)) {
    const above = name.slice(0, end)
    if (/[*%]/.test(above)) continue
    for await (const batch of session.mail.list({ reference: '' as MailboxName, patterns: [above] }, session.signal)) {
      const found = batch.find((entry) => entry.name === above)
      if (found !== undefined) return [...found.attributes].some((a) => a.toLowerCase() === String.raw`\noinferiors`) ? found.name : undefined
    }
  }
  return undefined
}
