import type { TableEdit } from 'mailwright/api'
import type { Say } from './locks/lock-context.js'

/** Says each thing once to the sessions on a mailbox; what is waited for, as often as that is. */
export function saidOnce(edit: TableEdit, said: Set<string>): Say {
  return (severity, text) => {
    if (severity === 'waiting') return edit.waits(text)
    if (said.has(text)) return
    said.add(text)
    edit.notice(severity, text)
  }
}
