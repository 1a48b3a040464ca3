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
