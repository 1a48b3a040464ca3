import { MailError, type FileStat, type Files, type MailUser, type UserDirectory } from 'mailwright/api'

const MAX_OCTETS = 64 * 1024 * 1024

/**
 * Accounts in a text file of the form of passwd(5): `name:x:uid:gid:gecos:home:shell`. Without numbers the account has no ids of its own.
 * The file is read again when it changed.
 */
export class PasswdFile implements UserDirectory {
  readonly #path: string
  readonly #files: Files
  #known: { readonly users: ReadonlyMap<string, MailUser>; readonly stat: FileStat } | undefined
  constructor(path: string, files: Files) {
    this.#path = path
    this.#files = files
  }

  async find(user: string): Promise<MailUser | undefined> {
    return (await this.#read()).get(user)
  }

  async #read(): Promise<ReadonlyMap<string, MailUser>> {
    const stat = await this.#files.stat(this.#path)
    if (stat === undefined) throw new MailError('unavailable', `user file ${this.#path} does not exist`)
    const known = this.#known
    // A file that changes within the grain of its clock has another size or inode, as programs that edit it replace it.
    if (known !== undefined && known.stat.inode === stat.inode && known.stat.size === stat.size && known.stat.mtimeMs === stat.mtimeMs && known.stat.ctimeMs === stat.ctimeMs) return known.users
    if (stat.size > MAX_OCTETS) throw new MailError('unavailable', `user file ${this.#path} has more than ${MAX_OCTETS} octets`)
    const file = await this.#files.open(this.#path)
    try {
      const octets = new Uint8Array(stat.size)
      const users = parsePasswd(new TextDecoder().decode(octets.subarray(0, await file.read(octets, 0))))
      this.#known = { users, stat }
      return users
    } finally {
      await file.close()
    }
  }
}

/** Accounts by name; the first line of a name counts, and lines that say nothing are left out. */
function parsePasswd(text: string): ReadonlyMap<string, MailUser> {
  const users = new Map<string, MailUser>()
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#')) continue
    const [name = '', , uid = '', gid = '', gecos = '', home = '', shell = ''] = line.split(':')
    if (name === '' || users.has(name)) continue
    const hasIds = /^\d{1,10}$/.test(uid) && /^\d{1,10}$/.test(gid)
    users.set(name, {
      name,
      kind: 'account',
      ...(hasIds ? { ids: { uid: Number(uid), gid: Number(gid), groups: [Number(gid)] } } : {}),
      ...(home.startsWith('/') ? { home } : {}),
      facts: { gecos, shell },
    })
  }
  return users
}
