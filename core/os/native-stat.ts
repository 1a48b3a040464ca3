import type * as koffiModule from 'koffi'
import type { FileStat } from '../api/files.js'

/** Calls that tell of a file what is in memory and never wait; undefined where they would have to, or cannot tell. */
export interface NativeStat {
  ofPath(path: string, follow: boolean): FileStat | undefined
  ofDescriptor(fd: number): FileStat | undefined
}

/** System calls without a wrapper in older C libraries. The number of the older one differs between machines. */
const SYS_OPENAT2 = 437
const SYS_STATX: Partial<Record<NodeJS.Architecture, number>> = { x64: 332, arm64: 291 }
const AT_FDCWD = -100
const AT_EMPTY_PATH = 0x1000
const AT_STATX_DONT_SYNC = 0x4000
const STATX_BASIC_STATS = 0x7ff
const O_PATH = 0o10000000
const O_CLOEXEC = 0o2000000
const O_NOFOLLOW: Partial<Record<NodeJS.Architecture, number>> = { x64: 0o400000, arm64: 0o100000 }
/** The name is looked up only as far as the system has it in memory (Linux 5.12). */
const RESOLVE_CACHED = 0x20

/** struct statx: octets of it, and where its members are. */
const STATX = 256
const AT = { links: 16, uid: 20, gid: 24, mode: 28, inode: 32, size: 40, atime: 64, ctime: 96, mtime: 112, major: 136, minor: 140 } as const
const KINDS: Readonly<Record<number, FileStat['kind']>> = { 0o100000: 'file', 0o040000: 'directory', 0o120000: 'symlink' }
const TYPE_MASK = 0o170000

/** Little-endian, as all machines that this is for. */
function u64(octets: Buffer, at: number): number {
  return octets.readUInt32LE(at + 4) * 2 ** 32 + octets.readUInt32LE(at)
}
/** As node:fs counts it, to the last bit. */
function time(octets: Buffer, at: number): number {
  return (octets.readInt32LE(at + 4) * 2 ** 32 + octets.readUInt32LE(at)) * 1000 + octets.readUInt32LE(at + 8) / 1_000_000
}
/** Undefined for what is on no device of this machine: of a server's file, memory may have old news. */
function statOf(octets: Buffer): FileStat | undefined {
  const [major, minor] = [octets.readUInt32LE(AT.major), octets.readUInt32LE(AT.minor)]
  if (major === 0 || major > 0xfff || minor > 0xfffff) return undefined
  const mode = octets.readUInt16LE(AT.mode)
  return {
    kind: KINDS[mode & TYPE_MASK] ?? 'other',
    device: ((minor & 0xff) | (major << 8) | ((minor & 0xfff00) << 12)) >>> 0,
    inode: u64(octets, AT.inode),
    size: u64(octets, AT.size),
    links: octets.readUInt32LE(AT.links),
    mode: mode & 0o7777,
    uid: octets.readUInt32LE(AT.uid),
    gid: octets.readUInt32LE(AT.gid),
    atimeMs: time(octets, AT.atime),
    mtimeMs: time(octets, AT.mtime),
    ctimeMs: time(octets, AT.ctime),
  }
}

/** Undefined on machines that cannot be told not to wait. */
export function nativeStat(c: ReturnType<typeof koffiModule.default.load>): NativeStat | undefined {
  const [statxNumber, noFollow] = [SYS_STATX[process.arch], O_NOFOLLOW[process.arch]]
  if (process.platform !== 'linux' || statxNumber === undefined || noFollow === undefined) return undefined
  // koffi calls are untyped; the prototypes say what they take and return.
  const openat2 = c.func('int64 syscall(int64, int, str, void *, size_t)') as (call: number, folder: number, path: string, how: Buffer, octets: number) => number
  const statx = c.func('int64 syscall(int64, int, str, int, uint, void *)') as (call: number, fd: number, path: string, flags: number, mask: number, into: Buffer) => number
  const close = c.func('int close(int)') as (fd: number) => number
  const [followed, asIs] = [openHow(O_PATH | O_CLOEXEC), openHow(O_PATH | O_CLOEXEC | noFollow)]
  const into = Buffer.alloc(STATX)
  const ofDescriptor = (fd: number): FileStat | undefined =>
    statx(statxNumber, fd, '', AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, into) === 0 ? statOf(into) : undefined
  return {
    ofDescriptor,
    ofPath(path, follow) {
      // A C string would end there; node refuses such a path.
      if (path.includes('\0')) return undefined
      const how = follow ? followed : asIs
      const fd = openat2(SYS_OPENAT2, AT_FDCWD, path, how, how.length)
      if (fd < 0) return undefined
      try {
        return ofDescriptor(fd)
      } finally {
        close(fd)
      }
    },
  }
}
/** struct open_how: flags, mode, resolve. */
function openHow(flags: number): Buffer {
  const how = Buffer.alloc(24)
  how.writeUInt32LE(flags, 0)
  how.writeUInt32LE(RESOLVE_CACHED, 16)
  return how
}
