import { MailError, SYSTEM } from '../../api/index.js'
import type { MailLocation, MailPolicy, MailUser, Rights, Sidecar } from '../../api/index.js'

/** RFC 4314 §2.1, all of them. */
const ALL = 'lrswipkxtea'
const READING = 'lr'

/** What a user may do at a place: everything, less what the mount, the account and the policies take away. */
export async function rightsAt(at: MailLocation, user: MailUser, policies: readonly MailPolicy[], side: Sidecar, signal: AbortSignal): Promise<Rights> {
  let letters = at.mount.readOnly === true || user.kind === 'anonymous' ? READING : ALL
  for (const policy of policies) {
    const allowed = await policy.rights?.(at, user, side, signal)
    if (allowed !== undefined) letters = [...letters].filter((l) => allowed.includes(l)).join('')
  }
  // Letters of ALL, the RFC 4314 rights.
  return letters as Rights
}
/** Throws `denied` without the right. */
export function mustHave(rights: Rights, letter: string, what: string): void {
  if (!rights.includes(letter)) throw new MailError('denied', `${what} is not permitted here`)
}
/** Flags that a message may arrive with (RFC 4314 §4). */
export function flagsOnArrival(rights: Rights, system: number, keywords: readonly string[]): { readonly system: number; readonly keywords: readonly string[] } {
  let mask = 0
  if (rights.includes('s')) mask |= SYSTEM.seen
  if (rights.includes('t')) mask |= SYSTEM.deleted
  if (rights.includes('w')) mask |= SYSTEM.flagged | SYSTEM.answered | SYSTEM.draft
  return { system: system & mask, keywords: rights.includes('w') ? keywords : [] }
}
/** Flags that a session could set; EXAMINE-like opening when there are none and nothing can be expunged. */
export function mayWrite(rights: Rights): boolean {
  return /[swte]/.test(rights)
}
