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
  /** Whether the store of a place takes messages with the numbers that they had. */
  acceptsUids(store: string): boolean
}
/** A name for making a mailbox in a format: such names are for making only. */
export function made(name: string, format: string | undefined): MailboxName {
  return (format === undefined || name.startsWith('#driver.') ? name : `#driver.${format}/${name}`) as MailboxName
}
/** Copies what `source` holds into `target`, which exists, and tells how it went. */
export async function fill(work: Work, source: string, target: string, remove: boolean): Promise<void> {
  const { mail, terminal, signal } = work
  const to = await locate(mail, target, 'append', signal)
  await withMailbox(mail, source, remove ? 'read-write' : 'read-only', signal, async (view) => {
    if (remove && view.readOnly) throw new MailError('read-only', `${source} cannot be changed, so nothing was moved`)
    using progress = new Progress(terminal, source, view.announced)
    const { messages, lost } = await copyAll(mail, view, to, { acceptsUids: work.acceptsUids(to.at.mount.store), step: () => progress.step() }, signal)
    if (remove && messages > 0) await removeAll(view, signal)
    say(terminal.out, `${source} [${messages} message${messages === 1 ? '' : 's'}] => ${target}`)
    for (const what of lost) say(terminal.out, `  not kept: ${what}`)
  })
}
