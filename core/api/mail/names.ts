import { extensionPoint } from '../kernel.js'

declare const unit: unique symbol
/** Decoded UTF-8 as the client means it; modified UTF-7 lives in core/wire only. */
export type MailboxName = string & { readonly [unit]: 'mailbox-name' }
/** Where a name leads: a root that a mount declared, and a path below it. The guard in core checks that it stays below. */
export interface MailLocation {
  readonly mount: Mount
  readonly path: string
  readonly format?: string
  /** New mail is moved here from the user's INBOX when a session that may write looks; the mailbox is made when there is none (`#mhinbox`). */
  readonly takesNewMail?: true
}
/** Crosses processes: values only. */
export interface MailUser {
  readonly name: string
  readonly kind: 'account' | 'anonymous'
  readonly ids?: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] }
  readonly home?: string
  readonly facts: Readonly<Record<string, string>>
}
/** A row of the name table; `root` is what the guard holds a location to. */
export interface Mount {
  readonly prefix: string
  readonly class: 'personal' | 'others' | 'shared'
  readonly store: string
  readonly root: string
  readonly formats?: readonly string[]
  readonly createFormat?: string
  readonly fileMode?: number
  readonly directoryMode?: number
  readonly advertised: boolean
  readonly listed: boolean
  readonly readOnly?: boolean
  /** Where INBOX of this personal mount is kept when no format takes it over: an absolute path, which may lie outside `root` (a spool). */
  readonly inbox?: string
}
/** Some names exist for some commands only (`#driver.mbx/`). */
export type Purpose = 'open' | 'examine' | 'status' | 'list' | 'create' | 'append' | 'remove' | 'rename' | 'subscribe' | 'rights'
/** `of-user` lets core look the account up (that waits) and start again as if that user had asked. */
export type Resolution =
  | { readonly kind: 'at'; readonly location: MailLocation }
  | { readonly kind: 'inbox'; readonly format?: string }
  | { readonly kind: 'of-user'; readonly user: string; readonly name: MailboxName }
  | { readonly kind: 'referral'; readonly url: string }
  | { readonly kind: 'denied'; readonly why: string }
  | { readonly kind: 'unknown' }
/** A name, why it is asked for, and by whom. */
export interface NameQuestion {
  readonly name: MailboxName
  readonly purpose: Purpose
  readonly user: MailUser
}
/**
 * Pure and synchronous; `mounts` gives NAMESPACE, LIST and the way back from place to name, `resolve` the exceptions. `keeps` and `review`
 * restrict what the others say; every resolver is asked them, wherever in the list it stands.
 */
export interface NamespaceResolver {
  /** Reads what `mounts` has to know of a user (a profile, accounts); waited for before the mounts of a login or of another user are first asked for. */
  learn?(user: MailUser, signal: AbortSignal): Promise<void>
  mounts?(user: MailUser): readonly Mount[]
  resolve?(ask: NameQuestion, next: (name: MailboxName) => Resolution): Resolution
  /** Whether the user has this mount, of whichever resolver; a mount that one does not keep is neither listed nor advertised nor reached. */
  keeps?(mount: Mount, user: MailUser): boolean
  /** The answer of the chain, to be passed on or refused. */
  review?(ask: NameQuestion, answer: Resolution): Resolution
}
/** List order is the chain. */
export const namespaceResolvers = extensionPoint<NamespaceResolver>('mail.namespaces').in({ scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.namespaces' })
/** Tells mailbox existence changes of subscriptions apart from the stores. */
export interface SubscriptionStore {
  list(user: MailUser): Promise<readonly MailboxName[]>
  set(user: MailUser, name: MailboxName, on: boolean): Promise<void>
}
/** `.mailboxlist`, newsrc, a database. */
export const subscriptions = extensionPoint<SubscriptionStore>('mail.subscriptions').in({ scope: 'host', pick: 'one', roles: ['mail'], slot: 'hosts.*.subscriptions' })
