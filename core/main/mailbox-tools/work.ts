import { MailError } from '../../api/index.js'
import type { MailAccess, MailboxName } from '../../api/index.js'
import { say } from '../terminal.js'
import type { Terminal } from '../terminal.js'
import { copyAll, removeAll } from './copying.js'
import { Progress } from './progress.js'
import { locate, withMailbox } from './views.js'

/** What every action gets. */
export interface Work {
  readonly mail: MailAccess
  readonly terminal: Terminal
  readonly signal: AbortSignal
  /** Format of mailboxes that are made; undefined: as the configuration says. */
  readonly format: string | undefined
  readonly merge: string | undefined
  readonly dryRun: boolean
}
/** A name for making a mailbox in a format: such names are for making only. */
export function made(name: string, format: string | undefined): MailboxName {
  return (format === undefined || name.startsWith('#driver.') ? name : `#driver.${format}/${name}`) as MailboxName
}
/** Copies what `source` holds into `target`, and tells how it went. A target that is made for it goes on with its numbers, where it has a place for them. */
export async function fill(work: Work, source: string, target: string, { make = false, remove = false }: { readonly make?: boolean; readonly remove?: boolean }): Promise<void> {
  const { mail, terminal, signal } = work
  await withMailbox(mail, source, remove ? 'read-write' : 'read-only', signal, async (view) => {
    if (remove && view.readOnly) throw new MailError('read-only', `${source} cannot be changed, so nothing was moved`)
    if (make) await mail.create(made(target, work.format), { specialUse: [], uidValidity: view.uidValidity, uidNext: view.uidNext }, signal)
    const to = await locate(mail, target, 'append', signal)
    using progress = new Progress(terminal, source, view.announced)
    const { messages, lost } = await copyAll(mail, view, to, { keepUids: make, step: () => progress.step() }, signal)
    if (remove && messages > 0) await removeAll(view, signal)
    say(terminal.out, `${source} [${messages} message${messages === 1 ? '' : 's'}] => ${target}`)
    for (const what of lost) say(terminal.out, `  not kept: ${what}`)
  })
}
