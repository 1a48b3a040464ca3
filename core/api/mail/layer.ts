import { extensionPoint } from '../kernel.js'
import type { MailboxFormat } from './format.js'
import type { MailUser } from './names.js'
import type { MailboxSource } from './source.js'
import type { MailStore } from './store.js'

/** Wraps a store; sees every operation on it. `delegate` forwards the required members and the abilities named, never an unknown one. */
export interface StoreLayer {
  wrap(inner: MailStore, user: MailUser): Promise<MailStore>
}
/** Outermost first. */
export const storeLayers = extensionPoint<StoreLayer>('mail.layers').in({ scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.layers' })
type OptionalKeys<T> = { [K in keyof T]-?: Record<never, never> extends { [P in K]: T[P] } ? K : never }[keyof T]
/** Names of the optional members. */
export type Abilities<T> = Exclude<OptionalKeys<T>, undefined>
/** An ability that a layer does not name falls back to core's general way, which the layer sees: safe for abilities invented later. */
export function delegate<T extends MailStore | MailboxSource | MailboxFormat>(
  inner: T,
  keep: readonly Abilities<T>[],
  change: { readonly [K in keyof T]?: T[K] },
): T {
  const outer: Record<PropertyKey, unknown> = {}
  // Members are forwarded by name; the three contracts are interfaces of methods and values.
  const given = inner as unknown as Record<PropertyKey, unknown>
  const forward = (key: PropertyKey): void => {
    const value = given[key]
    if (typeof value === 'function') outer[key] = (...args: unknown[]) => (value as (...a: unknown[]) => unknown).apply(inner, args)
    else if (value !== undefined) Object.defineProperty(outer, key, { get: () => given[key], enumerable: true, configurable: true })
  }
  for (const key of REQUIRED_MEMBERS) if (key in given) forward(key)
  for (const key of keep) forward(key as PropertyKey)
  for (const key of Reflect.ownKeys(change)) {
    const value = (change as Record<PropertyKey, unknown>)[key]
    Object.defineProperty(outer, key, { value, enumerable: true, configurable: true, writable: true })
  }
  // The required members of T are forwarded or changed, and abilities are optional.
  return outer as T
}
/** The required members of the three contracts that can be wrapped; all else is an ability. */
const REQUIRED_MEMBERS = [
  'delimiter', 'list', 'find', 'create', 'remove', 'rename', 'append', 'close',
  'traits', 'refresh', 'store', 'expunge', 'read',
  'recognise', 'open',
] as const
