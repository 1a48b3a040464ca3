import { createToken } from '../kernel.js'
import type { MailLocation } from './names.js'
import type { UidSet } from './uid-set.js'

/** Places and uids, never content. */
export type MailEvent = { readonly at: MailLocation } & (
  | { readonly kind: 'arrived' | 'removed' | 'flags'; readonly uids: UidSet }
  | { readonly kind: 'created' | 'deleted' | 'subscribed' | 'unsubscribed' | 'metadata' | 'rights' }
  | { readonly kind: 'renamed'; readonly from: MailLocation }
)
/** Every change made here or noticed here; other processes of the host are heard through the bus. */
export interface MailEvents {
  on(handler: (e: MailEvent) => void): Disposable
  emit(e: MailEvent): void
}
/** NOTIFY, indexers, push, quota listen here. */
export const MAIL_EVENTS = createToken<MailEvents>('mail.events').in('host', ['mail'])
