import { MailError } from '../../api/index.js'
import type { Located, MailAccess, MailboxView, MailboxName, UidSet } from '../../api/index.js'

/** Every message that the view has announced. */
export function allUids(view: MailboxView): UidSet {
  return view.uidsOf(view.resolve({ pairs: Uint32Array.of(1, 0xffffffff) }, 'seq'))
}

/** Opens a mailbox by its name, and closes it whatever happens. */
export async function withMailbox<R>(mail: MailAccess, name: string, mode: 'read-write' | 'read-only', signal: AbortSignal, work: (view: MailboxView) => Promise<R>): Promise<R> {
  const view = await mail.open(await locate(mail, name, mode === 'read-only' ? 'examine' : 'open', signal), mode, signal)
  try {
    return await work(view)
  } finally {
    // What was done is done, also when the work was told to stop.
    await view.close(new AbortController().signal)
  }
}
/** Every name is checked where it is resolved. */
export function locate(mail: MailAccess, name: string, purpose: Parameters<MailAccess['locate']>[1], signal: AbortSignal): Promise<Located> {
  return mail.locate(name as MailboxName, purpose, signal)
}
/** Names directly below a mailbox, and what stands before them. */
async function childrenOf(mail: MailAccess, name: string, signal: AbortSignal): Promise<readonly string[]> {
  const out: string[] = []
  for await (const batch of mail.list({ reference: '' as MailboxName, patterns: [`${name}*`] }, signal)) {
    for (const { name: found, delimiter } of batch) {
      if (delimiter !== undefined && found.startsWith(name + delimiter) && !found.slice(name.length + delimiter.length).includes(delimiter)) out.push(found)
    }
  }
  return out
}
/** What was below a mailbox when it got another name comes back below the one that has its old name now; but for its own parts, which stay. */
export async function bringChildrenBack(mail: MailAccess, from: string, to: string, isPart: (name: string) => boolean, signal: AbortSignal): Promise<void> {
  for (const name of await childrenOf(mail, from, signal)) {
    if (!isPart(name.slice(from.length + 1))) await mail.rename(await locate(mail, name, 'rename', signal), (to + name.slice(from.length)) as MailboxName, signal)
  }
}
/** What a mailbox is called while somebody looks whether it may go. */
const UNFINISHED = '.unfinished'
/**
 * Takes away a mailbox that was to be filled, unless there is mail in it. It loses its name before that is looked at: what is delivered by the name
 * afterwards would go with it.
 *
 * @returns the name under which it stays, with mail or because somebody uses it; undefined: it is gone.
 */
export async function withdraw(mail: MailAccess, name: string): Promise<string | undefined> {
  // To rename INBOX is to move its messages (RFC 9051 §6.3.6).
  if (name.toUpperCase() === 'INBOX') return name
  const { signal: never } = new AbortController()
  const unfinished = `${name}${UNFINISHED}`
  const rename = async (from: string, to: string): Promise<void> => mail.rename(await locate(mail, from, 'rename', never), to as MailboxName, never)
  try {
    await rename(name, unfinished)
  } catch (error) {
    return error instanceof MailError && error.kind === 'not-found' ? undefined : name
  }
  try {
    if (await withMailbox(mail, unfinished, 'read-only', never, async (view) => view.announced === 0)) {
      await mail.remove(await locate(mail, unfinished, 'remove', never), never)
      return undefined
    }
    await rename(unfinished, name)
    return name
  } catch {
    // Another one of the name was made meanwhile, or it cannot be looked at: it stays what it is called now.
    return unfinished
  }
}
/** Whether a mailbox of that name can be found. */
export async function exists(mail: MailAccess, name: string, signal: AbortSignal): Promise<boolean> {
  try {
    await locate(mail, name, 'status', signal)
    return true
  } catch (error) {
    if (error instanceof MailError && error.kind === 'not-found') return false
    throw error
  }
}
