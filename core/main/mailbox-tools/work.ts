import { MailError, uids } from '../../api/index.js'
import type { MailAccess, MailboxName } from '../../api/index.js'
import { tell } from './telling.js'
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
  /** Whether mailboxes of a format can have others below them. */
  holdsOthers(format: string): boolean
}
/** A name for making a mailbox in a format: such names are for making only. */
export function made(name: string, format: string | undefined): MailboxName {
  return (format === undefined || name.startsWith('#driver.') ? name : `#driver.${format}/${name}`) as MailboxName
}
/** A name without the format that it says a mailbox is to be made in. */
export function bare(name: string): string {
  return name.replace(/^#driver\.[^/\\:]+[/\\:]/i, '')
}
async function areOne(work: Work, one: string, other: string): Promise<boolean> {
  const key = await keyOf(work, one, 'examine')
  return key !== undefined && key === (await keyOf(work, other, 'append'))
}
/** Undefined where there is no mailbox yet: an INBOX may still be made. */
async function keyOf({ mail, signal }: Work, name: string, purpose: 'examine' | 'append'): Promise<string | undefined> {
  const at = await locate(mail, name, purpose, signal)
  return await mail.keyOf(at, signal).catch((error: unknown) => {
    if (error instanceof MailError && error.kind === 'not-found') return undefined
    throw error
  })
}
/** Copies what `source` holds into `target`, and tells how it went. A target that is made for it goes on with its numbers, where it has a place for them. */
export async function fill(work: Work, source: string, target: string, { make = false, remove = false }: { readonly make?: boolean; readonly remove?: boolean }): Promise<void> {
  const { mail, terminal, signal } = work
  // A mailbox that is added to itself has everything twice.
  if (!make && (await areOne(work, source, bare(target)))) throw new MailError('exists', `${source} and ${bare(target)} are one mailbox`)
  await withMailbox(mail, source, remove ? 'read-write' : 'read-only', signal, async (view) => {
    if (remove && view.readOnly) throw new MailError('read-only', `${source} cannot be changed, so nothing was moved`)
    // Who may not remove messages must not copy them.
    if (remove) await view.remove(uids.none, signal)
    // The name says the format: some have none in a mailbox without messages.
    const name = made(target, work.format)
    if (make) await mail.create(name, { specialUse: [], uidValidity: view.uidValidity, uidNext: view.uidNext }, signal)
    const to = await locate(mail, name, 'append', signal)
    using progress = new Progress(terminal, source, view.announced)
    const { messages, lost } = await copyAll(mail, view, { at: to, name: bare(target) }, { keepUids: make, step: () => progress.step() }, signal)
    if (remove && messages > 0) {
      await removeAll(view, signal).catch((error: unknown) => {
        if (!(error instanceof MailError)) throw error
        throw new MailError(error.kind, `the messages are in ${bare(target)} now, and stay in ${source} too: ${error.message}`, { cause: error })
      })
    }
    tell(terminal.out, `${source} [${messages} message${messages === 1 ? '' : 's'}] => ${bare(target)}`)
    for (const what of lost) tell(terminal.out, `  not kept: ${what}`)
  })
}
