import type { ClientFacts, Link, LoginGate, MailAccess, Tweaks } from '../api/index.js'
import type { Patience } from './link-reader.js'
import type { SlotTable } from './slots.js'

/** One of the two halves of a session, before and after the login: what it is given, whichever protocol it speaks. */
export interface SessionHalf {
  readonly link: Link
  readonly gate: LoginGate
  readonly mail: MailAccess | undefined
  readonly client: ClientFacts
  readonly slots: SlotTable
  readonly tweaks: Tweaks
  readonly patience: Patience
  /** Octets that the half before has read. */
  readonly unread?: Uint8Array
}
