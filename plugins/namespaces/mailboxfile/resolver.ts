import { MailError, type MailboxName, type MailLocation, type MailUser, type Mount, type NamespaceResolver, type Purpose, type Resolution } from 'mailwright/api'

export interface NameSettings {
  readonly store: string
  /** Templates: `{home}`, `{user}`, `{spool}`. */
  readonly home: string
  readonly subdirectory: string | undefined
  readonly inboxPath: string
  readonly spool: string
  /** Roots of `#shared/`, `#public/` and `#ftp/`, where the site has them. */
  readonly shared: string | undefined
  readonly public: string | undefined
  readonly ftp: string | undefined
  readonly outside: 'accounts' | 'never'
  readonly advertiseRoot: boolean
  /** User of this process, who decides what the machine lets it do. */
  readonly processUser: number | undefined
}

/** Prefixes other than these that begin with `#` are no file names. */
interface Shared {
  readonly prefix: string
  readonly root: string | undefined
  readonly fileMode: number
  readonly directoryMode: number
  /** `INBOX` below it is one name in whatever letter case. */
  readonly inbox: boolean
}

/** Mailbox names as the original's users know them: files below the home directory, `/` for files, `~user/` for other people's. */
export class MailboxFileNames implements NamespaceResolver {
  readonly #s: NameSettings
  readonly #shared: readonly Shared[]
  constructor(settings: NameSettings) {
    this.#s = settings
    this.#shared = [
      { prefix: '#shared/', root: settings.shared, fileMode: 0o660, directoryMode: 0o770, inbox: true },
      { prefix: '#public/', root: settings.public, fileMode: 0o666, directoryMode: 0o777, inbox: true },
      { prefix: '#ftp/', root: settings.ftp, fileMode: 0o644, directoryMode: 0o755, inbox: false },
    ]
  }

  mounts(user: MailUser): readonly Mount[] {
    const { store } = this.#s
    const listed = { advertised: true, listed: true } as const
    const personal: Mount = { prefix: '', class: 'personal', store, root: this.#root(user), inbox: this.#inbox(user), ...listed }
    const shared = this.#shared.flatMap(({ prefix, root, fileMode, directoryMode }): readonly Mount[] =>
      root === undefined || (user.kind === 'anonymous' && prefix === '#shared/') ? [] : [{ prefix, class: 'shared', store, root, fileMode, directoryMode, advertised: true, listed: false }],
    )
    if (!this.#mayLeave(user)) return [personal, ...shared]
    // Names below `~` lead to the homes of others, so the mount itself has no files.
    const others: Mount = { prefix: '~', class: 'others', store, root: '', advertised: true, listed: false }
    const root: Mount = { prefix: '/', class: 'shared', store, root: '/', advertised: this.#s.advertiseRoot, listed: false }
    return [personal, others, root, ...shared]
  }

  resolve(ask: { readonly name: MailboxName; readonly purpose: Purpose; readonly user: MailUser }, next: (name: MailboxName) => Resolution): Resolution {
    const { name, purpose, user } = ask
    const forced = /^#driver\.([^/\\:]+)[/\\:](.*)$/is.exec(name)
    if (forced !== null) return this.#withFormat(forced[1] ?? '', forced[2] ?? '', purpose, user)
    if (name.toUpperCase() === 'INBOX') return { kind: 'inbox' }
    const guarded = name.startsWith('#') || !this.#mayLeave(user)
    if (guarded && /\.\.|\/\/|\/~/.test(name)) return { kind: 'denied', why: 'the name is not permitted' }
    if (name.startsWith('#')) return this.#sharedName(name, user) ?? next(name)
    if (name.startsWith('/')) return this.#absolute(name, user)
    if (name.startsWith('~')) return this.#tilde(name, user)
    return this.#inside(name, user)
  }

  #withFormat(format: string, rest: string, purpose: Purpose, user: MailUser): Resolution {
    // A format is chosen when something is made; what is there has one.
    if ((purpose !== 'create' && purpose !== 'append') || rest === '') return { kind: 'unknown' }
    const name = rest as MailboxName
    const found = this.resolve({ name, purpose, user }, () => ({ kind: 'unknown' }))
    if (found.kind === 'inbox') return { kind: 'inbox', format }
    return found.kind === 'at' ? { kind: 'at', location: { ...found.location, format } } : found
  }
  #sharedName(name: string, user: MailUser): Resolution | undefined {
    for (const { prefix, inbox } of this.#shared) {
      if (name.slice(0, prefix.length).toLowerCase() !== prefix) continue
      const mount = this.mounts(user).find((m) => m.prefix === prefix)
      if (mount === undefined) return { kind: 'unknown' }
      const rest = name.slice(prefix.length)
      return at({ mount, path: inbox && rest.toUpperCase() === 'INBOX' ? 'INBOX' : rest })
    }
    return undefined
  }
  #absolute(name: string, user: MailUser): Resolution {
    // The one absolute name that everybody has.
    if (user.kind !== 'anonymous' && name === this.#inbox(user)) return { kind: 'inbox' }
    if (!this.#mayLeave(user)) return { kind: 'denied', why: 'absolute names are not permitted' }
    return this.#outside(name, user)
  }
  #outside(path: string, user: MailUser): Resolution {
    const mount = this.mounts(user).find((m) => m.prefix === '/')
    return mount === undefined ? { kind: 'denied', why: 'absolute names are not permitted' } : at({ mount, path: normal(path).slice(1) + (path.endsWith('/') ? '/' : '') })
  }
  #tilde(name: string, user: MailUser): Resolution {
    if (name === '~' || user.kind === 'anonymous') return { kind: 'denied', why: 'the name is not permitted' }
    if (name.startsWith('~/')) return name === '~/' ? { kind: 'denied', why: 'the name is not permitted' } : this.#inside(name.slice(2), user)
    const slash = name.indexOf('/')
    const other = slash < 0 ? name.slice(1) : name.slice(1, slash)
    const rest = slash < 0 ? '' : name.slice(slash + 1)
    if (other === user.name && rest !== '') return this.#inside(rest, user)
    if (!this.#mayLeave(user)) return { kind: 'denied', why: "other users' names are not permitted" }
    if (rest === '') return { kind: 'unknown' }
    // The rest is a name of the other user.
    return { kind: 'of-user', user: other, name: (rest.toUpperCase() === 'INBOX' ? 'INBOX' : rest) as MailboxName }
  }
  #inside(path: string, user: MailUser): Resolution {
    if (path.toUpperCase() === 'INBOX') return { kind: 'inbox' }
    const mount = this.mounts(user).find((m) => m.prefix === '' && m.class === 'personal')
    if (mount === undefined) return { kind: 'unknown' }
    // `../x` is an ordinary name for those who may use absolute ones.
    const whole = normal(`${mount.root}/${path}`) + (path.endsWith('/') ? '/' : '')
    if (whole.startsWith(`${mount.root}/`) || !this.#mayLeave(user)) return at({ mount, path })
    return this.#outside(whole, user)
  }

  /** Whether names may lead out of the home directory: only where the operating system judges what the user may do. */
  #mayLeave(user: MailUser): boolean {
    return this.#s.outside === 'accounts' && user.kind === 'account' && user.ids !== undefined && user.ids.uid === this.#s.processUser
  }
  #root(user: MailUser): string {
    const home = normal(this.#fill(this.#s.home, user))
    return this.#s.subdirectory === undefined || user.kind === 'anonymous' ? home : normal(`${home}/${this.#s.subdirectory}`)
  }
  #inbox(user: MailUser): string {
    if (user.kind === 'anonymous') return `${this.#root(user)}/INBOX`
    return normal(this.#fill(this.#s.inboxPath, user))
  }
  #fill(template: string, user: MailUser): string {
    // A name is a part of a path here, so it must not be more than one.
    if (template.includes('{user}') && (user.name === '' || user.name.startsWith('.') || /[/\0]/.test(user.name))) throw new MailError('denied', 'the user name cannot be part of a path')
    const home = user.home ?? ''
    const filled = template.replaceAll('{spool}', this.#s.spool).replaceAll('{home}', home).replaceAll('{user}', user.name)
    if (!filled.startsWith('/')) throw new MailError('unavailable', `the user has no home directory, which "${template}" needs`)
    return filled
  }
}

function at(location: MailLocation): Resolution {
  return { kind: 'at', location }
}
/** Without `.`, `..` and double slashes; a slash at the end means a directory and stays out of roots. */
function normal(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}`
}
