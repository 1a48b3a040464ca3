import type { MailboxFormat, MailboxName, MailUser, Mount, NameQuestion, NamespaceResolver, Resolution } from 'mailwright/api'

export interface PrefixSettings {
  readonly store: string
  readonly newsStore: string | undefined
  /** Accounts whose homes are the roots of shared namespaces; undefined: nobody is looked up. */
  readonly accounts: { readonly shared: string; readonly public: string; readonly ftp: string } | undefined
}
/** Asks who somebody is. */
export type Lookup = (name: string, signal: AbortSignal) => Promise<MailUser | undefined>

/** What was read for a user. */
interface Known {
  readonly mounts: readonly Mount[]
  readonly mh: Mount | undefined
}
/** Protections of new files, as programs of the family have them. `INBOX` below it is one name in whatever letter case, but for `#ftp/`. */
const SHARED = [
  { prefix: '#shared/', account: 'shared', fileMode: 0o660, directoryMode: 0o770, inbox: true, anonymous: false },
  { prefix: '#public/', account: 'public', fileMode: 0o666, directoryMode: 0o777, inbox: true, anonymous: true },
  { prefix: '#ftp/', account: 'ftp', fileMode: 0o644, directoryMode: 0o755, inbox: false, anonymous: true },
] as const
const MHINBOX = '#mhinbox'
const MH = '#mh/'
const NEWS = '#news.'
/** What could climb out of a directory, anywhere in a name. */
const CLIMBS = /\.\.|\/\/|\/~/
const UNKNOWN: Resolution = { kind: 'unknown' }

/** Names that begin with `#` and are kept by a format, another kind of storage, or an account of the machine. */
export class Prefixes implements NamespaceResolver {
  readonly #s: PrefixSettings
  readonly #mhRoot: NonNullable<MailboxFormat['root']> | undefined
  readonly #lookup: Lookup
  readonly #known = new WeakMap<MailUser, Known>()
  constructor(settings: PrefixSettings, mhRoot: NonNullable<MailboxFormat['root']> | undefined, lookup: Lookup) {
    this.#s = settings
    this.#mhRoot = mhRoot
    this.#lookup = lookup
  }

  async learn(user: MailUser, signal: AbortSignal): Promise<void> {
    if (!this.#known.has(user)) this.#known.set(user, await this.#read(user, signal))
  }
  async #read(user: MailUser, signal: AbortSignal): Promise<Known> {
    const { store, newsStore, accounts } = this.#s
    const mounts: Mount[] = []
    const root = user.kind === 'anonymous' ? undefined : await this.#mhRoot?.(user, signal)
    const mh: Mount | undefined = root === undefined ? undefined : { prefix: MH, class: 'personal', store, root, createFormat: 'mh', advertised: true, listed: false }
    // Told to clients before the others, as a namespace of one name.
    if (mh !== undefined) mounts.push({ ...mh, prefix: MHINBOX, root: `${mh.root}/inbox` }, mh)
    if (newsStore !== undefined) mounts.push({ prefix: NEWS, class: 'shared', store: newsStore, root: 'news', readOnly: false, advertised: true, listed: false })
    for (const { prefix, account, fileMode, directoryMode, anonymous } of SHARED) {
      if (accounts === undefined || (user.kind === 'anonymous' && !anonymous)) continue
      const home = (await this.#lookup(accounts[account], signal))?.home
      if (home !== undefined) mounts.push({ prefix, class: 'shared', store, root: home, fileMode, directoryMode, advertised: true, listed: false })
    }
    return { mounts, mh }
  }
  mounts(user: MailUser): readonly Mount[] {
    return this.#known.get(user)?.mounts ?? []
  }

  resolve(ask: NameQuestion, next: (name: MailboxName) => Resolution): Resolution {
    const { name, user } = ask
    const known = this.#known.get(user)
    if (!name.startsWith('#') || known === undefined) return next(name)
    if (CLIMBS.test(name)) return { kind: 'denied', why: 'the name is not permitted' }
    const forced = /^#driver\.([^/\\:]+)[/\\:](#.*)$/is.exec(name)
    if (forced !== null && (ask.purpose === 'create' || ask.purpose === 'append')) {
      const found = this.#here(forced[2] ?? '', known)
      if (found?.kind !== 'at') return found ?? next(name)
      const [format = '', { format: only }] = [forced[1], found.location]
      return only === undefined || only === format ? { kind: 'at', location: { ...found.location, format } } : { kind: 'denied', why: `mailboxes there are of format ${only}` }
    }
    return this.#here(name, known) ?? next(name)
  }
  /** Undefined: the name begins otherwise. */
  #here(name: string, known: Known): Resolution | undefined {
    const lower = name.toLowerCase()
    if (lower.startsWith(MHINBOX)) {
      return lower === MHINBOX && known.mh !== undefined ? { kind: 'at', location: { mount: known.mh, path: 'inbox', format: 'mh', takesNewMail: true } } : UNKNOWN
    }
    const mount = known.mounts.find((m) => lower.startsWith(m.prefix))
    if (mount === undefined) return undefined
    const path = name.slice(mount.prefix.length)
    if (path === '' || path === '/') return UNKNOWN
    const upper = path.toUpperCase() === 'INBOX' && SHARED.some((s) => s.prefix === mount.prefix && s.inbox)
    return { kind: 'at', location: { mount, path: upper ? 'INBOX' : path, ...(mount === known.mh && { format: 'mh' }) } }
  }
}
