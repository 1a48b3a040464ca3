import { extensionPoint, type Codec } from '../kernel.js'
import type { MailLocation, MailUser } from './names.js'

/**
 * Durable small records beside a mailbox or an account (ACL, METADATA, object ids): follow a rename, go with a delete. The journal of edits
 * (mod-sequences, vanished uids, flags not yet folded in) is core's and lies beside them; nobody asks for it, because every change is an edit.
 */
export interface Sidecar {
  get<T>(r: SidecarKind<T>, key: string): Promise<T | undefined>
  put<T>(r: SidecarKind<T>, key: string, value: T | undefined): Promise<void>
  each<T>(r: SidecarKind<T>): AsyncIterable<readonly (readonly [string, T])[]>
}
/** Named by its owner; two plugins never meet. */
export interface SidecarKind<T> {
  readonly id: string
  readonly codec: Codec<T>
}
/** Of one login. */
export interface Sidecars {
  of(at: MailLocation): Sidecar
  account(user: MailUser): Sidecar
  /** Records go with the mailbox and with all below it; core waits for it after RENAME. A store with sidecars of its own may see to that in `rename`. */
  renamed?(from: MailLocation, to: MailLocation): Promise<void>
  /** The mailbox is gone, or was made just now: nothing of an older one of this name remains. Those below keep theirs. */
  removed?(at: MailLocation): Promise<void>
}
/** Files, a database; where the store has none of its own. */
export interface SidecarBackend {
  open(user: MailUser): Promise<Sidecars>
}
/** One per host, so that all durable extras are in one place to back up. */
export const sidecarBackends = extensionPoint<SidecarBackend, { readonly manyProcesses: boolean }>('mail.sidecars').in({ scope: 'host', pick: 'one', roles: ['mail'], slot: 'hosts.*.sidecars' })
