import { MailError } from 'mailwright/api'
import type { ImapCommand, ImapCompletion, MailboxName, SequenceSet } from 'mailwright/api'
import { LAST_NUMBER } from 'mailwright/toolkit'
import { copyUid, okLine } from '../shared/codes.js'

interface MoveRequest {
  readonly set: SequenceSet
  readonly uid: boolean
  readonly to: MailboxName
}

/** Copies and removes in one step that cannot be half done (RFC 6851 §3.1). */
export const move: ImapCommand<MoveRequest, 'selected'> = {
  name: 'MOVE',
  states: ['selected'],
  uidForm: 'also',
  mayReportExpunge: true,
  parse(input, uid, session) {
    const set = input.set()
    if (!uid && set !== 'saved') {
      const most = session.selected.announced
      for (const n of set.pairs) if (n === LAST_NUMBER ? most === 0 : n > most) input.fail('numbers of messages that exist')
    }
    input.space()
    const to = input.mailbox()
    input.end()
    return { set, uid, to }
  },
  async run({ set, uid, to }, session): Promise<ImapCompletion> {
    const { selected: view, mail, signal } = session
    const rows = view.resolve(set, uid ? 'uid' : 'seq')
    try {
      const target = await mail.locate(to, 'append', signal)
      // No message at all is nothing to move, not a failure (RFC 6851 §3.1 with RFC 3501 §6.4.8).
      if (rows.count === 0) return { kind: 'ok' }
      const done = await view.copy(rows, target, 'move', signal)
      // The code stands in an untagged line before the first EXPUNGE, since afterwards the numbers mean other messages (RFC 6851 §4.3).
      if (done !== undefined && session.grammar.has('uidplus')) okLine(session.out, copyUid(done), 'Moved')
      return { kind: 'ok' }
    } catch (failure) {
      if (failure instanceof MailError && failure.kind === 'not-found') return { kind: 'no', code: { name: 'TRYCREATE' }, text: 'MOVE failed: no such mailbox' }
      throw failure
    }
  },
}
