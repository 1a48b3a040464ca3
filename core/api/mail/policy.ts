import { extensionPoint } from '../kernel.js'
import type { MailLocation, MailUser } from './names.js'
import type { Sidecar } from './sidecar.js'

declare const unit: unique symbol
/** RFC 4314 letters. */
export type Rights = string & { readonly [unit]: 'rights' }
/** Limits of what a user may do to a mailbox; all policies must agree. Core asks once per located mailbox and per reservation. */
export interface MailPolicy {
  rights?(at: MailLocation, user: MailUser, side: Sidecar, signal: AbortSignal): Promise<Rights | undefined>
  /** Before octets are accepted; `settle` says what really arrived. Throws over-quota. */
  reserve?(
    at: MailLocation,
    user: MailUser,
    octets: number | undefined,
    messages: number,
    signal: AbortSignal,
  ): Promise<{ settle(octets: number, messages: number): void }>
}
/** ACL, quota, read-only, append limits. */
export const mailPolicies = extensionPoint<MailPolicy>('mail.policies').in({ scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.policies' })
