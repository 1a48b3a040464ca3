import { sealCommand } from '../../api/index.js'
import type { ImapCompletion } from '../../api/index.js'
import { nameArgument } from '../arguments.js'
import type { NameArgument } from '../arguments.js'
import { Refused, inWords } from '../failure.js'
import { checkedName, place } from '../places.js'
import { shown } from '../texts.js'

/** RFC 3501 §6.3.4. */
export const deleteMailbox = sealCommand({
  name: 'DELETE',
  states: ['authenticated', 'selected'],
  uidForm: 'no',
  mayReportExpunge: true,
  parse(input): NameArgument {
    const box = nameArgument(input)
    input.end()
    return box
  },
  async run(box, session): Promise<ImapCompletion> {
    const name = checkedName(box, session, 'DELETE')
    if (name === 'INBOX') throw new Refused("Can't delete INBOX", { code: 'CANNOT' })
    if (session.selected?.at.name === name) throw new Refused('Can not DELETE the selected mailbox', { code: 'INUSE' })
    const words = (reason: string): string => `Can't delete mailbox ${shown(name)}: ${reason}`
    const at = await place(session, name, 'remove', words)
    await inWords(session.mail.remove(at, session.signal), words)
    return { kind: 'ok' }
  },
})
