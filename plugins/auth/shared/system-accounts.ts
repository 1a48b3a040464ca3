/** An account of the operating system (getpwnam(3)). */
export interface SystemAccount {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly gecos: string
  readonly home: string
  readonly shell: string
  /** The hash, or `x` where it is in the shadow file. */
  readonly hash: string
}
/** Its line in the shadow file (getspnam(3)); days since 1970, -1 for none. */
export interface ShadowEntry {
  readonly hash: string
  readonly lastChange: number
  readonly maxDays: number
  readonly warnDays: number
  readonly expires: number
}
/** The name service of the machine: files, LDAP, whatever nsswitch.conf says. Calls run on threads of the pool. Failures are thrown. */
export interface NameService {
  account(name: string): Promise<SystemAccount | undefined>
  shadow(name: string): Promise<ShadowEntry | undefined>
  /** All groups of an account, its own one included. */
  groupIds(name: string, gid: number): Promise<readonly number[]>
  /** Names in the member list of a group; undefined when there is no such group. */
  members(group: string): Promise<readonly string[] | undefined>
}

const BUFFER_OCTETS = 16 * 1024
const LARGEST_BUFFER_OCTETS = 4 * 1024 * 1024
const ERANGE = 34
/** getpwnam_r says "not found" with any of these (its manual page). */
const NOT_FOUND: ReadonlySet<number> = new Set([0, 2, 3, 9, 1])

let loading: Promise<NameService> | undefined
/** Once per process, because koffi defines a struct once. Rejects where `koffi` is not installed. */
export function nameService(): Promise<NameService> {
  loading ??= load()
  return loading
}

async function load(): Promise<NameService> {
  const { default: koffi } = await import('koffi')
  const c = koffi.load(process.platform === 'darwin' ? 'libSystem.dylib' : 'libc.so.6')
  koffi.struct('mailwright_passwd', { name: 'char *', hash: 'char *', uid: 'uint32', gid: 'uint32', gecos: 'char *', home: 'char *', shell: 'char *' })
  koffi.struct('mailwright_spwd', { name: 'char *', hash: 'char *', lastChange: 'long', minDays: 'long', maxDays: 'long', warnDays: 'long', inactiveDays: 'long', expires: 'long', flag: 'unsigned long' })
  koffi.struct('mailwright_group', { name: 'char *', hash: 'char *', gid: 'uint32', members: 'char **' })
  const reentrant = (name: string, struct: string): ((key: string) => Promise<unknown>) => {
    const call = c.func(`int ${name}(const char *key, _Out_ ${struct} *entry, void *buffer, size_t size, _Out_ void **result)`)
    return async (key) => {
      for (let size = BUFFER_OCTETS; ; size *= 4) {
        const buffer = Buffer.alloc(size)
        const entry = {}
        const result: unknown[] = [null]
        const code = await new Promise<number>((resolve, reject) => {
          call.async(key, entry, buffer, size, result, (error: unknown, answer: number) => (error === null || error === undefined ? resolve(answer) : reject(error instanceof Error ? error : new Error(String(error)))))
        })
        if (code === ERANGE && size < LARGEST_BUFFER_OCTETS) continue
        if (code !== 0 && !NOT_FOUND.has(code)) throw new Error(`${name} failed with error ${code}`)
        if (code !== 0 || result[0] === null) return undefined
        return { entry, buffer }
      }
    }
  }
  const getpwnam = reentrant('getpwnam_r', 'mailwright_passwd')
  const getspnam = process.platform === 'linux' ? reentrant('getspnam_r', 'mailwright_spwd') : undefined
  const getgrnam = reentrant('getgrnam_r', 'mailwright_group')
  const getgrouplist = c.func('int getgrouplist(const char *user, uint32 group, _Out_ uint32 *groups, _Inout_ int *count)')
  const text = (value: unknown): string => (typeof value === 'string' ? value : '')
  return {
    async account(name) {
      // koffi fills the struct that it was given; the prototypes above say with what.
      const found = (await getpwnam(name)) as { readonly entry: Record<string, unknown> } | undefined
      if (found === undefined) return undefined
      const { entry } = found
      return { name: text(entry['name']), uid: Number(entry['uid']), gid: Number(entry['gid']), gecos: text(entry['gecos']), home: text(entry['home']), shell: text(entry['shell']), hash: text(entry['hash']) }
    },
    async shadow(name) {
      const found = (await getspnam?.(name)) as { readonly entry: Record<string, unknown> } | undefined
      if (found === undefined) return undefined
      const { entry } = found
      return { hash: text(entry['hash']), lastChange: Number(entry['lastChange']), maxDays: Number(entry['maxDays']), warnDays: Number(entry['warnDays']), expires: Number(entry['expires']) }
    },
    async groupIds(name, gid) {
      for (let room = 64; ; room *= 4) {
        const groups = new Uint32Array(room)
        const count = [room]
        const code = await new Promise<number>((resolve, reject) => {
          getgrouplist.async(name, gid, groups, count, (error: unknown, answer: number) => (error === null || error === undefined ? resolve(answer) : reject(error instanceof Error ? error : new Error(String(error)))))
        })
        if (code >= 0) return [...groups.subarray(0, count[0])]
        if (room > 65_536) throw new Error('getgrouplist finds no end')
      }
    },
    async members(group) {
      const found = (await getgrnam(group)) as { readonly entry: Record<string, unknown>; readonly buffer: Buffer } | undefined
      if (found === undefined) return undefined
      const { entry: { members }, buffer } = found
      const names: string[] = []
      if (members === null || members === undefined) return []
      // A list of pointers that ends with NULL, inside the buffer.
      for (let i = 0; ; i++) {
        const name: unknown = koffi.decode(members, i * koffi.sizeof('char *'), 'char *')
        if (typeof name !== 'string') break
        names.push(name)
      }
      // Used last, so that it lives until here.
      return buffer.length > 0 ? names : undefined
    },
  }
}
