import { MailError } from '../../api/index.js'
import type { ListEntry, Located, MailboxEntry, MailboxName, MailLocation, MailStore, Mount, Resolution } from '../../api/index.js'
import { MAX_NAME, hasPrefix, mountOf, personalMount } from './mounts.js'
import { MAX_WILDCARDS, composePattern, literalPart, matchesInbox, matchesPattern, wildcards } from './patterns.js'

/** What a listing needs of the login. */
export interface Catalogue {
  readonly mounts: readonly Mount[]
  store(mount: Mount): Promise<MailStore>
  locatedAt(name: MailboxName, at: MailLocation): Promise<Located>
  subscribed(): Promise<readonly MailboxName[]>
  /** The same to mark mailboxes with; never rejects. */
  marked(): Promise<readonly MailboxName[]>
  /** Where a name leads. */
  resolve(name: MailboxName): Resolution
  /** The mailboxes of another account, where there is one of this name. */
  homeOf(user: string): Promise<Home | undefined>
}
/** Somebody's personal mailboxes. */
interface Home {
  readonly mount: Mount
  locatedAt(name: MailboxName, at: MailLocation): Promise<Located>
}
/** As in `MailAccess.list`. */
export interface Query {
  readonly reference: MailboxName
  readonly patterns: readonly string[]
  readonly subscribed?: true
}

/** Composed patterns; those with `{` match nothing here (names of other machines). */
function composed(query: Query): readonly string[] {
  const out: string[] = []
  for (const pattern of query.patterns) {
    if (Buffer.byteLength(query.reference) > MAX_NAME || Buffer.byteLength(pattern) > MAX_NAME) throw new MailError('limit', 'reference or pattern is too long')
    if (wildcards(pattern) > MAX_WILDCARDS) throw new MailError('limit', 'excessive wildcards')
    if (!query.reference.includes('{') && !pattern.includes('{')) out.push(composePattern(query.reference, pattern))
  }
  return out
}

/** Names of all mounts that match; see `MailAccess.list`. */
export async function* listNames(c: Catalogue, query: Query, signal: AbortSignal): AsyncGenerator<readonly ListEntry[]> {
  if (query.patterns.includes('')) {
    yield [await rootOf(c, query.reference)]
    if (query.patterns.every((p) => p === '')) return
  }
  const patterns = composed({ ...query, patterns: query.patterns.filter((p) => p !== '') })
  if (patterns.length === 0) return
  if (query.subscribed === true) {
    yield await listSubscribed(c, patterns)
    return
  }
  const subscribed = new Set(await c.marked())
  const home = personalMount(c.mounts)
  let inbox: ListEntry | undefined
  if (home !== undefined && patterns.some((p) => matchesInbox(p, '/'))) {
    inbox = await inboxEntry(c, home, subscribed, signal)
    yield [inbox]
  }
  for (const mount of c.mounts) {
    const inside = patterns.flatMap((p) => below(p, mount, c.mounts))
    if (inside.length > 0) yield* listMount({ ...c, prefix: mount.prefix, mount, patterns, inside, subscribed, isHome: mount === home }, signal)
  }
  for (const pattern of patterns) yield* listOther(c, pattern, subscribed, signal)
}

/** One mount, or another user's, under the prefix that its names have for this login. */
interface Part extends Pick<Catalogue, 'store' | 'resolve' | 'locatedAt'> {
  readonly prefix: string
  readonly mount: Mount
  readonly patterns: readonly string[]
  /** The patterns in the mount's own paths. */
  readonly inside: readonly string[]
  readonly subscribed: ReadonlySet<MailboxName>
  /** INBOX has been listed already. */
  readonly isHome: boolean
}
async function* listMount(part: Part, signal: AbortSignal): AsyncGenerator<readonly ListEntry[]> {
  const { mount, patterns, inside, prefix } = part
  const store = await part.store(mount)
  const { delimiter } = store
  const asked = new Set(inside)
  // A directory may match with its delimiter only (`%/`); stores know it without.
  for (const p of inside) if (delimiter !== undefined && p.endsWith(delimiter)) asked.add(p.slice(0, -delimiter.length))
  for await (const entries of store.list({ under: { mount, path: '' }, patterns: [...asked], wantChildren: true }, signal)) {
    const batch: ListEntry[] = []
    for (const entry of entries) {
      if (part.isHome && entry.path.toUpperCase() === 'INBOX') continue
      const full = prefix + entry.path
      if (Buffer.byteLength(full) > MAX_NAME || !leadsThere(part, full)) continue
      const matches = (n: string): boolean => patterns.some((p) => matchesPattern(n, p, delimiter))
      if (matches(full)) batch.push(await entryOf(part, full as MailboxName, { mount, path: entry.path }, entry, delimiter))
      else if (delimiter !== undefined && entry.inferiors && patterns.some((p) => p.endsWith(delimiter) && matchesPattern(full + delimiter, p, delimiter))) {
        const level = { ...entry, path: entry.path + delimiter, selectable: false }
        batch.push(await entryOf(part, (full + delimiter) as MailboxName, { mount, path: level.path }, level, delimiter))
      }
    }
    if (batch.length > 0) yield batch
  }
}
/** A file called `~x`, `#x` or `a..b` may be there whose name leads elsewhere, or nowhere. */
function leadsThere({ resolve, mount, prefix }: Part, name: string): boolean {
  if (!/~|#|\.\./.test(name)) return true
  const answer = resolve(name as MailboxName)
  if (answer.kind === 'of-user') return prefix !== ''
  return answer.kind === 'at' && answer.location.mount.store === mount.store && answer.location.mount.root === mount.root
}
/** `~bob/%`: what stands before the first wildcard says whose mailboxes are meant. */
async function* listOther(c: Catalogue, pattern: string, subscribed: ReadonlySet<MailboxName>, signal: AbortSignal): AsyncGenerator<readonly ListEntry[]> {
  const literal = literalPart(pattern)
  const mount = mountOf(literal, c.mounts)
  if (mount?.class !== 'others') return
  const { delimiter } = await c.store(mount)
  const end = delimiter === undefined ? -1 : literal.indexOf(delimiter, mount.prefix.length)
  if (end < 0) return
  // Any name there says who it is, and whether the user may name that at all.
  const prefix = literal.slice(0, end + 1)
  const answer = c.resolve(`${prefix}x` as MailboxName)
  const home = answer.kind === 'of-user' ? await c.homeOf(answer.user) : undefined
  if (home === undefined) return
  const part = { store: c.store, resolve: c.resolve, locatedAt: home.locatedAt, prefix, mount: home.mount, patterns: [pattern], inside: [pattern.slice(prefix.length)], subscribed, isHome: true }
  if (matchesInbox(pattern.slice(prefix.length), delimiter)) {
    const name = `${prefix}INBOX` as MailboxName
    yield [{ name, delimiter: undefined, attributes: new Set(['\\NoInferiors']), at: await home.locatedAt(name, { mount: home.mount, path: 'INBOX' }), subscribed: subscribed.has(name) }]
  }
  yield* listMount(part, signal)
}

/** The part of a pattern that concerns a mount, in the mount's own paths. A name belongs to the mount with the longest prefix. */
function below(pattern: string, mount: Mount, mounts: readonly Mount[]): readonly string[] {
  const literal = literalPart(pattern)
  if (mountOf(literal, mounts) === mount) return [pattern.slice(mount.prefix.length)]
  // The wildcard may reach into the prefix; core then sorts out itself what matches.
  if (mount.listed && literal.length < mount.prefix.length && hasPrefix(mount.prefix, literal)) return ['*']
  return []
}
async function entryOf(
  c: Pick<Part, 'locatedAt' | 'subscribed'>,
  name: MailboxName,
  at: MailLocation,
  entry: MailboxEntry,
  delimiter: string | undefined,
): Promise<ListEntry> {
  const attributes = new Set<string>()
  if (!entry.inferiors) attributes.add('\\NoInferiors')
  if (!entry.selectable) attributes.add('\\NoSelect')
  if (entry.selectable && entry.marked !== undefined) attributes.add(entry.marked ? '\\Marked' : '\\UnMarked')
  if (entry.inferiors && entry.children !== 'unknown') attributes.add(entry.children === 'yes' ? '\\HasChildren' : '\\HasNoChildren')
  for (const a of entry.attributes) attributes.add(a)
  return { name, delimiter, attributes, at: entry.selectable ? await c.locatedAt(name, at) : undefined, subscribed: c.subscribed.has(name) }
}
/** INBOX exists always; where the store has a mailbox of that name in its hierarchy, it says more. */
async function inboxEntry(c: Catalogue, mount: Mount, subscribed: ReadonlySet<MailboxName>, signal: AbortSignal): Promise<ListEntry> {
  const store = await c.store(mount)
  const name = 'INBOX' as MailboxName
  const at = { mount, path: 'INBOX' }
  for await (const entries of store.list({ under: { mount, path: '' }, patterns: ['INBOX'], wantChildren: true }, signal)) {
    // A file or directory of that name is not the INBOX where the store keeps the INBOX elsewhere: such stores do not list it as selectable.
    const entry = entries.find((e) => e.path === 'INBOX' && e.selectable && e.inferiors)
    if (entry !== undefined) return entryOf({ locatedAt: c.locatedAt, subscribed }, name, at, entry, store.delimiter)
  }
  return { name, delimiter: undefined, attributes: new Set(['\\NoInferiors']), at: await c.locatedAt(name, at), subscribed: subscribed.has(name) }
}
/** `LIST ref ""`: the root of the reference and the delimiter, nothing of what is there (RFC 3501 §6.3.8). */
async function rootOf(c: Catalogue, reference: MailboxName): Promise<ListEntry> {
  const mount = mountOf(reference, c.mounts)
  const delimiter = mount === undefined ? '/' : (await c.store(mount)).delimiter
  const end = delimiter === undefined ? -1 : reference.indexOf(delimiter)
  const root = end < 0 ? '' : reference.slice(0, end + 1)
  // A piece of a name is a name.
  return { name: root as MailboxName, delimiter, attributes: new Set(['\\NoSelect']), at: undefined, subscribed: false }
}
async function listSubscribed(c: Catalogue, patterns: readonly string[]): Promise<readonly ListEntry[]> {
  const out = new Map<string, ListEntry>()
  for (const name of await c.subscribed()) {
    const mount = mountOf(name, c.mounts)
    const delimiter = mount === undefined ? '/' : (await c.store(mount)).delimiter
    const put = (n: string, subscribed: boolean): void => {
      if (!subscribed && out.has(n)) return
      out.set(n, { name: n as MailboxName, delimiter, attributes: new Set(subscribed ? [] : ['\\NoSelect']), at: undefined, subscribed })
    }
    if (patterns.some((p) => matchesPattern(name, p, delimiter) || (name === 'INBOX' && matchesInbox(p, delimiter)))) {
      put(name, true)
      continue
    }
    if (delimiter === undefined) continue
    for (const pattern of patterns) {
      if (!pattern.endsWith('%')) continue
      // The parent at which the final % stops (RFC 3501 §6.3.9).
      for (let at = name.indexOf(delimiter); at >= 0; at = name.indexOf(delimiter, at + 1)) {
        if (at > 0 && matchesPattern(name.slice(0, at), pattern, delimiter)) put(name.slice(0, at), false)
      }
    }
  }
  return [...out.values()]
}
