import { sealCommand } from '../../api/index.js'
import type { ImapCompletion } from '../../api/index.js'
import { nameArgument } from '../arguments.js'
import type { NameArgument } from '../arguments.js'
import { Refused, inWords } from '../failure.js'
import { checkedName, place } from '../places.js'
import { shown } from '../texts.js'

interface RenameRequest {
  readonly from: NameArgument
  readonly to: NameArgument
}

/** RFC 3501 §6.3.5; INBOX is renamed by moving its messages away, which the mail below does. */
export const rename = sealCommand({
  name: 'RENAME',
  states: ['authenticated', 'selected'],
  uidForm: 'no',
  mayReportExpunge: true,
  parse(input): RenameRequest {
    const from = nameArgument(input)
    input.space()
    const to = nameArgument(input)
    input.end()
    return { from, to }
  },
  async run(request, session): Promise<ImapCompletion> {
    const from = checkedName(request.from, session, 'RENAME')
    if ('invalid' in request.to) throw new Refused(`Can't rename to ${request.to.invalid}`, { code: 'CANNOT' })
    const to = checkedName(request.to, session, 'RENAME')
    if (session.selected?.at.name === from) throw new Refused('Can not RENAME the selected mailbox', { code: 'INUSE' })
    const words = (reason: string, kind: string): string =>
      kind === 'exists' ? `Can't rename ${shown(from)}: mailbox ${shown(to)} already exists` : `Can't rename mailbox ${shown(from)}: ${reason}`
    if (to === 'INBOX') throw new Refused(words('', 'exists'), { code: 'ALREADYEXISTS' })
    const at = await place(session, from, 'rename', words)
    await inWords(session.mail.rename(at, to, session.signal), words)
    return { kind: 'ok' }
  },
})
