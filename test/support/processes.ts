import { readdir, readFile, readlink } from 'node:fs/promises'

/** What the kernel says that a process may do. */
export interface Rights {
  readonly pid: number
  readonly uids: readonly number[]
  readonly gids: readonly number[]
  readonly groups: readonly number[]
  readonly capabilities: readonly string[]
  readonly mayGain: boolean
}
/** Rights of the processes that a process started, as the kernel has them. */
export async function rightsOfChildren(parent: number): Promise<readonly Rights[]> {
  const found: Rights[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    const field = (name: string): string => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1] ?? ''
    const numbers = (name: string): number[] => field(name).split(/\s+/).filter((n) => n !== '').map(Number)
    if (Number(field('PPid')) !== parent || field('State').startsWith('Z')) continue
    found.push({ pid: Number(pid), uids: numbers('Uid'), gids: numbers('Gid'), groups: numbers('Groups'), capabilities: ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'].map(field), mayGain: field('CapBnd') === '' })
  }
  return found
}
/** None of the sets that count now. */
export const NO_CAPABILITIES = Array.from({ length: 4 }, () => '0000000000000000')

/**
 * The processes that have the server's end of a connection over IPv4 open: one, but for the moment in which it is handed over.
 *
 * @param ports of the server and of the client.
 */
export async function holdersOf(ports: { readonly server: number; readonly client: number }): Promise<readonly number[]> {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0')
  const ends = new RegExp(`:${hex(ports.server)} [0-9A-F]{8}:${hex(ports.client)} (?:\\S+ +){6}(\\d+)`)
  const inode = ends.exec(await readFile('/proc/net/tcp', 'latin1'))?.[1]
  if (inode === undefined) return []
  const found: number[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    for (const descriptor of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      if ((await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '')) !== `socket:[${inode}]`) continue
      found.push(Number(pid))
      break
    }
  }
  return found
}
