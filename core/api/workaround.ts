import { extensionPoint } from './kernel.js'
import type { ClientFacts } from './protocol.js'

/** Named switches that core and first-party plugins consult. One row each in the reference; adding one is a minor version. */
export interface Tweaks {
  readonly maxWriteOctets: number
  readonly idleNudgeMs: number
  readonly idlePhantomAfterMs: number
  readonly noteStatusOnSelected: boolean
  readonly nulToEighty: boolean
  readonly spacedPasswordRetry: boolean
  readonly lowerCaseUserRetry: boolean
  readonly warnUnknownStatusItem: boolean
  readonly warnSubscribeDirectory: boolean
  readonly holdExpunge: 'rfc' | 'never-while-busy'
}
/** Without any workaround. */
export const DEFAULT_TWEAKS: Tweaks = {
  maxWriteOctets: 0,
  idleNudgeMs: 0,
  idlePhantomAfterMs: 0,
  noteStatusOnSelected: true,
  nulToEighty: false,
  spacedPasswordRetry: false,
  lowerCaseUserRetry: false,
  warnUnknownStatusItem: false,
  warnSubscribeDirectory: false,
  holdExpunge: 'rfc',
}
/** Everything is data except `applies`. A client it does not apply to pays one `undefined` check per session, not per command. */
export interface Workaround {
  readonly reason: string
  applies(client: ClientFacts, user: { readonly name: string } | undefined): boolean
  readonly tweaks?: Partial<Tweaks>
  /** Extensions that this session shall not have: capability, commands and items go together. */
  readonly without?: readonly string[]
  /** Extensions loaded only for sessions like this. */
  readonly with?: readonly string[]
  /** Capabilities listed for these sessions besides those of their extensions. */
  readonly show?: readonly string[]
  /** Hides a capability that keeps working. */
  readonly hide?: readonly string[]
  /** Last resort. In place, size unchanged; message text of non-binary items only. */
  text?(chunk: Uint8Array): void
}
/** Merged in list order; later wins. */
export const workarounds = extensionPoint<Workaround>('client.workarounds').in({ scope: 'host', pick: 'ordered', roles: ['front', 'mail'], slot: 'hosts.*.workarounds' })
