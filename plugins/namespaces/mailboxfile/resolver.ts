import { MailError, stateFolder, type MailboxName, type MailLocation, type MailUser, type Mount, type NameQuestion, type NamespaceResolver, type Resolution } from 'mailwright/api'

export interface NameSettings {
  readonly store: string
  /** Templates: `{home}`, `{user}`, `{spool}`. */
  readonly home: string
  readonly subdirectory: string | undefined
  /** Undefined: the spool for users of the system, the home for all others. */
  readonly inboxPath: string | undefined
  readonly spool: string
  /** Roots of `#shared/`, `#public/` and `#ftp/`, where the site has them. */
  readonly shared: string | undefined
  readonly public: string | undefined
  readonly ftp: string | undefined
  readonly outside: 'accounts' | 'never'
  readonly advertiseRoot: boolean
  /** Template of the folder that no name leads to. */
  readonly stateDirectory: string
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

/** What holds for one user; made once. */
interface Table {
  readonly mounts: readonly Mount[]
  readonly personal: Mount
  /** Every file of the machine, for those whom the system itself restrains. */
  readonly outside: Mount | undefined
  readonly inbox: string
  readonly state: string | undefined
}

/** What could climb out of a directory, anywhere in a name. Conservative: `a..b` is refused too. */
const CLIMBS = /\.\.|\/\/|\/~/
const UNKNOWN: Resolution = { kind: 'unknown' }

/** Mailbox names as the original's users know them: files below the home directory, `/` for files, `~user/` for other people's. */
export class MailboxFileNames implements NamespaceResolver {
  readonly #s: NameSettings
  readonly #shared: readonly Shared[]
  readonly #tables = new WeakMap<MailUser, Table>()
  constructor(settings: NameSettings) {
    this.#s = settings
    this.#shared = [
      { prefix: '#shared/', root: settings.shared, fileMode: 0o660, directoryMode: 0o770, inbox: true },
      { prefix: '#public/', root: settings.public, fileMode: 0o666, directoryMode: 0o777, inbox: true },
      { prefix: '#ftp/', root: settings.ftp, fileMode: 0o644, directoryMode: 0o755, inbox: false },
    ]
  }

  mounts(user: MailUser): readonly Mount[] {
    return this.#table(user).mounts
  }
  #table(user: MailUser): Table {
    let table = this.#tables.get(user)
    if (table === undefined) this.#tables.set(user, (table = this.#make(user)))
    return table
  }
  #make(user: MailUser): Table {
    const { store, stateDirectory } = this.#s
    const inbox = this.#inbox(user)
    const personal: Mount = { prefix: '', class: 'personal', store, root: this.#root(user), inbox, advertised: true, listed: true }
    const mounts = [personal]
    if (user.kind !== 'anonymous') mounts.push({ ...personal, prefix: '~/', advertised: false, listed: false })
    let outside: Mount | undefined
    if (this.#mayLeave(user)) {
      outside = { prefix: '/', class: 'shared', store, root: '/', advertised: this.#s.advertiseRoot, listed: false }
      // Names below `~` lead to the homes of others, so the mount itself has no files.
      mounts.push({ prefix: '~', class: 'others', store, root: '', advertised: true, listed: false }, outside)
    }
    for (const { prefix, root, fileMode, directoryMode } of this.#shared) {
      if (root === undefined || (user.kind === 'anonymous' && prefix === '#shared/')) continue
      mounts.push({ prefix, class: 'shared', store, root, fileMode, directoryMode, advertised: true, listed: false })
    }
    return { mounts, personal, outside, inbox, state: stateFolder(stateDirectory, user) }
  }

  resolve(ask: NameQuestion, next: (name: MailboxName) => Resolution): Resolution {
    const { name, user } = ask
    const forced = /^#driver\.([^/\\:]+)[/\\:](.*)$/is.exec(name)
    if (forced !== null) return this.#withFormat(forced[1] ?? '', forced[2] ?? '', ask, next)
    if (isInboxName(name)) return { kind: 'inbox' }
    const table = this.#table(user)
    if ((name.startsWith('#') || table.outside === undefined) && CLIMBS.test(name)) return denied('the name is not permitted')
    if (name.startsWith('#')) return this.#special(name, table, next)
    if (name.startsWith('/')) return absolute(name, user, table)
    if (name.startsWith('~')) return tilde(name, user, table)
    return inside(name, table)
  }

  #withFormat(format: string, rest: string, ask: NameQuestion, next: (name: MailboxName) => Resolution): Resolution {
    // A format is chosen when something is made; what is there has one.
    if ((ask.purpose !== 'create' && ask.purpose !== 'append') || rest === '' || /^#driver\./i.test(rest)) return UNKNOWN
    if (CLIMBS.test(rest)) return denied('the name is not permitted')
    const found = this.resolve({ ...ask, name: rest as MailboxName }, next)
    if (found.kind === 'inbox') return { kind: 'inbox', format }
    // The account is looked up before its names are: it is told the format with the name.
    if (found.kind === 'of-user') return { ...found, name: `#driver.${format}/${found.name}` as MailboxName }
    if (found.kind !== 'at') return found
    const { format: only } = found.location
    return only === undefined || only === format ? at({ ...found.location, format }) : denied(`mailboxes there are of format ${only}`)
  }
  #special(name: string, table: Table, next: (name: MailboxName) => Resolution): Resolution {
    for (const { prefix, inbox } of this.#shared) {
      if (name.slice(0, prefix.length).toLowerCase() !== prefix) continue
      const mount = table.mounts.find((m) => m.prefix === prefix)
      if (mount === undefined) break
      const rest = name.slice(prefix.length)
      const path = normal(rest).slice(1)
      if (path === '' || isState(below(mount.root, path), table)) return UNKNOWN
      return at({ mount, path: inbox && isInboxName(path) ? 'INBOX' : path + end(rest) })
    }
    // Others may know the name; a file of the home directory it is not.
    const later = next(name as MailboxName)
    return later.kind === 'at' && later.location.mount.prefix === '' ? UNKNOWN : later
  }

  /** Whether names may lead out of the home directory: only where the operating system judges what the user may do. */
  #mayLeave(user: MailUser): boolean {
    return this.#s.outside === 'accounts' && user.kind === 'account' && user.ids !== undefined && user.ids.uid === this.#s.processUser
  }
  #root(user: MailUser): string {
    const home = this.#home(user)
    return this.#s.subdirectory === undefined || user.kind === 'anonymous' ? home : normal(`${home}/${this.#s.subdirectory}`)
  }
  #home(user: MailUser): string {
    return normal(this.#fill(this.#s.home, user))
  }
  #inbox(user: MailUser): string {
    // A user of the mail system may be called like one of the machine, whose spool file this is not.
    if (user.kind === 'anonymous') return below(this.#root(user), 'INBOX')
    if (this.#s.inboxPath === undefined && user.ids === undefined) return below(this.#home(user), 'INBOX')
    return normal(this.#fill(this.#s.inboxPath ?? '{spool}/{user}', user))
  }
  #fill(template: string, user: MailUser): string {
    // A name is a part of a path here, so it must not be more than one.
    if (template.includes('{user}') && (user.name === '' || user.name.startsWith('.') || /[/\0]/.test(user.name))) throw new MailError('denied', 'the user name cannot be part of a path')
    const values: Readonly<Record<string, string>> = { '{spool}': this.#s.spool, '{home}': user.home ?? '', '{user}': user.name }
    const filled = template.replaceAll(/\{(?:spool|home|user)\}/g, (word) => values[word] ?? '')
    if (!filled.startsWith('/')) throw new MailError('unavailable', `the user has no home directory, which "${template}" needs`)
    return filled
  }
}

/** A name that begins with a slash. */
function absolute(name: string, user: MailUser, table: Table): Resolution {
  const path = normal(name)
  // The one absolute name that everybody has.
  if (user.kind !== 'anonymous' && path === table.inbox) return { kind: 'inbox' }
  if (table.outside === undefined) return denied('absolute names are not permitted')
  // A file INBOX of the home directory is the INBOX only where that is kept there.
  return place(path, end(name), table, false)
}
function tilde(name: string, user: MailUser, table: Table): Resolution {
  const slash = name.indexOf('/')
  const rest = slash < 0 ? '' : name.slice(slash + 1)
  const other = name.slice(1, slash < 0 ? undefined : slash)
  if (user.kind === 'anonymous' || (other === '' && rest === '')) return denied('the name is not permitted')
  if (other === '' || (other === user.name && rest !== '')) return inside(rest, table)
  if (table.outside === undefined) return denied("other users' names are not permitted")
  if (rest === '') return UNKNOWN
  // The rest is a name below the other's home, not one that leads from there to somebody else.
  if (/^[~#/]/.test(rest)) return denied('the name is not permitted')
  return { kind: 'of-user', user: other, name: (isInboxName(rest) ? 'INBOX' : rest) as MailboxName }
}
/** A name below the mailbox directory, however it is spelled. */
function inside(name: string, table: Table): Resolution {
  return place(normal(`${table.personal.root}/${name}`), end(name), table, true)
}
/** Where a path without `.` and `..` is found: one file has one place, so that it has one state. */
function place(path: string, slash: string, table: Table, relative: boolean): Resolution {
  const { personal, outside, inbox } = table
  const top = below(personal.root, '')
  if (path === inbox) return { kind: 'inbox' }
  if (path === '/' || path === personal.root || isState(path, table)) return UNKNOWN
  const own = path.startsWith(top) ? path.slice(top.length) : undefined
  if (own !== undefined && isInboxName(own) && slash === '') return relative ? { kind: 'inbox' } : outsideOf(outside, path)
  if (own !== undefined) return at({ mount: personal, path: own + slash })
  return outsideOf(outside, path + slash)
}
function outsideOf(outside: Mount | undefined, path: string): Resolution {
  return outside === undefined ? denied('absolute names are not permitted') : at({ mount: outside, path: path.slice(1) })
}
function at(location: MailLocation): Resolution {
  return { kind: 'at', location }
}
function denied(why: string): Resolution {
  return { kind: 'denied', why }
}
function isInboxName(name: string): boolean {
  return name.length === 5 && name.toUpperCase() === 'INBOX'
}
function isState(path: string, { state }: Table): boolean {
  return state !== undefined && (path === state || path.startsWith(`${state}/`))
}
/** A name in a directory, which may be `/`. */
function below(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`
}
/** The slash at the end of a name, which then is that of a directory. */
function end(name: string): string {
  return name.endsWith('/') ? '/' : ''
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
