import { createSlot } from '../api/index.js'
import type { Located, MailSession, MailProblem, MailboxName, Purpose } from '../api/index.js'
import type { NameArgument } from './arguments.js'
import { Refused, inWords } from './failure.js'

const OPEN_TO_ALL = ['#news.', '#ftp/', '#public/'] as const

/** The mailbox that the running command named, for the log. */
export const NAMED = createSlot<MailboxName | undefined>('imap.named', 'logout', () => undefined)

/** The name that was given, unless it is none or nothing for this user. */
export function checkedName(given: NameArgument, session: MailSession, command: string): MailboxName {
  if ('invalid' in given) throw new Refused(given.invalid, { code: 'CANNOT' })
  const { name } = given
  session.setSlot(NAMED, name)
  if (session.mail.user.kind === 'anonymous' && /^[#{]/.test(name)) {
    const lower = name.toLowerCase()
    if (!OPEN_TO_ALL.some((prefix) => lower.startsWith(prefix))) throw new Refused(`Anonymous may not ${command} this name`, { bare: true, code: 'NOPERM' })
  }
  return name
}

/** Where a name leads, or the refusal in the command's words. */
export function place(session: MailSession, name: MailboxName, purpose: Purpose, words: (reason: string, kind: MailProblem) => string): Promise<Located> {
  return inWords(session.mail.locate(name, purpose, session.signal), words)
}

/** The place of a mailbox that is to receive messages; a missing one asks for CREATE (RFC 3501 §6.3.11, §6.4.7 "TRYCREATE"). */
export async function target(session: MailSession, name: MailboxName, verb: 'append' | 'copy'): Promise<Located> {
  try {
    return await place(session, name, 'append', (reason) => reason)
  } catch (error) {
    if (!(error instanceof Refused) || error.code?.name !== 'NONEXISTENT') throw error
    session.out.raw(`* OK [TRYCREATE] Must create mailbox before ${verb}`).endLine()
    throw new Refused(error.text, { code: 'TRYCREATE', cause: error })
  }
}

/** Whether the name is that of a directory and nothing else. A name with wildcards in it is not looked at. */
export async function isDirectory(name: MailboxName, session: MailSession): Promise<boolean> {
  if (/[*%]/.test(name)) return false
  // The empty reference: the name stands for itself.
  for await (const batch of session.mail.list({ reference: '' as MailboxName, patterns: [name] }, session.signal)) {
    for (const entry of batch) if (entry.name === name) return [...entry.attributes].some((a) => a.toLowerCase() === String.raw`\noselect`)
  }
  return false
}
