import { MailError } from '../../api/index.js'
import type { MailboxName, MailLocation, MailUser, Mount, NameQuestion, NamespaceResolver, Purpose, Resolution } from '../../api/index.js'

/** Octets of the longest name (the original's bound). */
export const MAX_NAME = 256

/** Whether the name begins with the prefix; what begins with `#` is compared without regard to case. */
export function hasPrefix(name: string, prefix: string): boolean {
  if (prefix === '') return true
  return prefix.startsWith('#') ? name.slice(0, prefix.length).toLowerCase() === prefix.toLowerCase() : name.startsWith(prefix)
}
/** The mount with the longest prefix of the name. */
export function mountOf(name: string, mounts: readonly Mount[]): Mount | undefined {
  let best: Mount | undefined
  for (const mount of mounts) {
    if (hasPrefix(name, mount.prefix) && (best === undefined || mount.prefix.length > best.prefix.length)) best = mount
  }
  return best
}
/** Where INBOX is looked for. */
export function personalMount(mounts: readonly Mount[]): Mount | undefined {
  return mounts.find((m) => m.class === 'personal' && m.prefix === '') ?? mounts.find((m) => m.class === 'personal') ?? mounts[0]
}
/** The name table of a user: what the resolvers say, or all of the first store; less what one of them takes away. */
export function mountTable(user: MailUser, resolvers: readonly NamespaceResolver[], firstStore: string): readonly Mount[] {
  const given = resolvers.flatMap((r) => r.mounts?.(user) ?? [])
  const kept = (mount: Mount): boolean => resolvers.every((r) => r.keeps?.(mount, user) ?? true)
  if (given.length > 0) return given.filter(kept)
  const whole: Mount = { prefix: '', class: 'personal', store: firstStore, root: user.home ?? '/', advertised: true, listed: true }
  return [whole].filter(kept)
}
/** The chain of resolvers in list order, ending at the name table; then each may refuse its answer. */
export function resolveName(name: MailboxName, purpose: Purpose, user: MailUser, resolvers: readonly NamespaceResolver[], mounts: readonly Mount[]): Resolution {
  const from = (i: number, asked: MailboxName): Resolution => {
    for (let at = i; at < resolvers.length; at++) {
      const resolver = resolvers[at]!
      if (resolver.resolve !== undefined) return resolver.resolve({ name: asked, purpose, user }, (next) => from(at + 1, next))
    }
    if (asked.toUpperCase() === 'INBOX') return { kind: 'inbox' }
    const mount = mountOf(asked, mounts)
    if (mount === undefined) return { kind: 'unknown' }
    return { kind: 'at', location: { mount, path: asked.slice(mount.prefix.length) } }
  }
  const ask: NameQuestion = { name, purpose, user }
  return resolvers.reduce((answer, r) => r.review?.(ask, answer) ?? answer, from(0, name))
}
/** Refused for everybody, whatever a resolver thinks. */
export function checkName(name: string): void {
  if (name === '' || name.startsWith('{')) throw new MailError('denied', 'invalid name')
  if (Buffer.byteLength(name) > MAX_NAME) throw new MailError('limit', 'the name is too long')
  if (/[\0\r\n]/.test(name)) throw new MailError('denied', 'invalid name')
}
/**
 * The last word on a location: it is in a mount that the user has, and its path stays below the mount's root, whatever the chain
 * answered. Symbolic links are the store's business.
 */
export function guardLocation(at: MailLocation, mounts: readonly Mount[]): MailLocation {
  const known = mounts.some((m) => m === at.mount || (m.store === at.mount.store && m.root === at.mount.root))
  if (!known) throw new MailError('denied', 'the place is in no mount of this user')
  if (at.path.includes('\0') || at.path.startsWith('/')) throw new MailError('denied', 'the place is outside its mount')
  // Made by a name that says a format (`#driver.unix/{x}`), it could be neither opened nor deleted.
  if (at.mount.prefix === '' && at.path.startsWith('{')) throw new MailError('denied', 'no name leads to the place')
  let depth = 0
  for (const part of at.path.split('/')) {
    if (part === '..') depth--
    else if (part !== '' && part !== '.') depth++
    if (depth < 0) throw new MailError('denied', 'the place is outside its mount')
  }
  return at
}
/** The name that leads to a place. */
export function nameAt(at: MailLocation, mounts: readonly Mount[]): MailboxName | undefined {
  const mount = mounts.find((m) => m === at.mount) ?? mounts.find((m) => m.store === at.mount.store && m.root === at.mount.root)
  if (mount === undefined) return undefined
  const name = mount === personalMount(mounts) && at.path.toUpperCase() === 'INBOX' ? 'INBOX' : mount.prefix + at.path
  // Names are made of prefixes and paths.
  return name as MailboxName
}
