import type { MailboxName } from '../api/index.js'
import { encodeMailboxName } from '../wire/imap/modified-utf7.js'
import { LIMITS } from '../wire/limits.js'

/** A mailbox name as it may stand in the text of a reply: in its wire form, cut where it is long. */
export function shown(name: MailboxName | string): string {
  return cut(encodeMailboxName(name))
}

/** What clients that read line by line take for the announcement of a literal, wherever it stands at the end of a line. */
const LIKE_A_LITERAL = /\{\d+\+?\}$/
/**
 * Text of a reply: its first line, not longer than replies are. What a client or another user has put into it, such as the name of a mailbox, must not make
 * the next line the octets of a literal.
 */
export function cut(text: string): string {
  const [first = ''] = text.split(/[\r\n]/, 1)
  const line = first.length > LIMITS.replyText ? first.slice(0, LIMITS.replyText) : first
  return LIKE_A_LITERAL.test(line) ? `${line} ` : line
}

/** `UID FETCH`. */
export function commandKey(name: string, uid: boolean): string {
  return uid ? `UID ${name}` : name
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

/** `Mon, 5 Jan 2026 09:08:07 +0000 (UTC)`: greetings are dated in universal time. */
export function greetingDate(ms: number): string {
  const d = new Date(ms)
  const time = d.toISOString().slice(11, 19)
  return `${DAYS[d.getUTCDay()]}, ${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]} ${d.getUTCFullYear()} ${time} +0000 (UTC)`
}
