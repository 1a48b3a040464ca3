import { sealCommand } from '../../api/index.js'
import type { CopyResult, ImapCompletion, ResponseCode, SequenceSet } from '../../api/index.js'
import { nameArgument, rowsOf, setArgument } from '../arguments.js'
import type { NameArgument } from '../arguments.js'
import { Refused } from '../failure.js'
import { checkedName, target } from '../places.js'
import { commandKey } from '../texts.js'

interface CopyRequest {
  readonly set: SequenceSet
  readonly box: NameArgument
  readonly uid: boolean
}

/** RFC 3501 §6.4.7: all or nothing, which is the mail's duty. */
export const copy = sealCommand({
  name: 'COPY',
  states: ['selected'],
  uidForm: 'also',
  mayReportExpunge: false,
  parse(input, uid): CopyRequest {
    const set = setArgument(input, commandKey('COPY', uid))
    input.space()
    const box = nameArgument(input)
    input.end()
    return { set, box, uid }
  },
  async run({ set, box, uid }, session): Promise<ImapCompletion> {
    const view = session.selected
    if (view.announced === 0) throw new Refused('Mailbox is empty', { bare: true })
    const rows = rowsOf(view, set, uid, commandKey('COPY', uid))
    const name = checkedName(box, session, 'COPY')
    const to = await target(session, name, 'copy')
    // Uids without a message are passed over, and nothing is a set of messages too (RFC 3501 §6.4.8).
    const done = rows.count === 0 ? undefined : await view.copy(rows, to, 'copy', session.signal)
    return done === undefined || !session.grammar.has('uidplus') ? { kind: 'ok' } : { kind: 'ok', code: copyUid(done) }
  },
})

/** `COPYUID 38505 304,319:320 3956:3958` (RFC 4315 §3). */
function copyUid({ uidValidity, from, to }: CopyResult): ResponseCode {
  return { name: 'COPYUID', write: (w) => w.raw(' ').number(uidValidity).raw(' ').set(from).raw(' ').set(to) }
}
