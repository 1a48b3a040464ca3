import { MailError } from '../../api/index.js'
import type { Located, MailboxView, MailProblem, MailStore, Wants } from '../../api/index.js'
import { eachWindow } from '../../mime/message.js'
import { OctetFinder } from '../../mime/octet-finder.js'
import { asMailFailure } from '../failures.js'

const WHOLE: Wants = { bytes: 'whole', sections: [], facts: [] }
/** Of such a mailbox nothing is to be seen; that others hold the octets is told all the same. */
const UNREADABLE: readonly MailProblem[] = ['not-found', 'denied', 'corrupt', 'vanished', 'unsupported']

/** What a look into a mailbox needs of the login. */
export interface Looking {
  store(at: Located): Promise<MailStore>
  open(at: Located, mode: 'read-only', signal: AbortSignal): Promise<MailboxView>
}
/** As `MailAccess.holds`. */
export async function holdsOctets(login: Looking, at: Located, octets: Uint8Array, signal: AbortSignal): Promise<boolean> {
  if (!at.rights.includes('r')) return false
  if (octets.length === 0) return true
  try {
    const store = await login.store(at)
    return store.holds === undefined ? await someMessageHolds(login, at, octets, signal) : await store.holds(at.at, octets, signal)
  } catch (error) {
    const failure = asMailFailure(error)
    if (failure instanceof MailError && UNREADABLE.includes(failure.kind)) return false
    throw failure
  }
}
async function someMessageHolds(login: Looking, at: Located, octets: Uint8Array, signal: AbortSignal): Promise<boolean> {
  const view = await login.open(at, 'read-only', signal)
  try {
    if (view.announced === 0) return false
    for await (const batch of view.read(view.resolve({ pairs: Uint32Array.of(1, view.announced) }, 'seq'), WHOLE, signal)) {
      for (const { bytes } of batch) {
        const finder = new OctetFinder(octets)
        // Stops at the first window that completes a match.
        await eachWindow(bytes, 0, bytes.size, (window) => !finder.feed(window), signal)
        if (finder.found) return true
      }
    }
    return false
  } finally {
    await view.close(signal)
  }
}
