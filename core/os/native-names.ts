import { constants as fs } from 'node:fs'
import { constants } from 'node:os'
import type * as koffiModule from 'koffi'
import type { FileStat } from '../api/files.js'

/** Calls that answer from memory and never wait; `unknown` where they would have to, or cannot tell. */
export interface NativeNames {
  /** Undefined: nothing has the name. */
  ofPath(path: string, follow: boolean): FileStat | undefined | 'unknown'
  ofDescriptor(fd: number): FileStat | 'unknown'
  /** A descriptor of a file, or with O_DIRECTORY of a folder, on a disk of this machine; undefined: nothing has the name. `flags`: of open(2), none that makes or cuts a file. */
  open(path: string, flags: number): number | undefined | 'unknown'
}

/** System calls without a wrapper in older C libraries. The number of the older one differs between machines. */
const SYS_OPENAT2 = 437
const SYS_STATX: Partial<Record<NodeJS.Architecture, number>> = { x64: 332, arm64: 291 }
const AT_FDCWD = -100
const AT_EMPTY_PATH = 0x1000
const AT_STATX_DONT_SYNC = 0x4000
const STATX_BASIC_STATS_AND_BTIME = 0xfff
const O_PATH = 0o10000000
const O_CLOEXEC = 0o2000000
const { O_DIRECTORY, O_NOFOLLOW } = fs
/** The name is looked up only as far as the system has it in memory (Linux 5.12). */
const RESOLVE_CACHED = 0x20
const { ENOENT } = constants.errno

/** struct statx: octets of it, and where its members are. */
const STATX = 256
const AT = { links: 16, uid: 20, gid: 24, mode: 28, inode: 32, size: 40, atime: 64, btime: 80, ctime: 96, mtime: 112, major: 136, minor: 140 } as const
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
/** Not told of what is on no device of this machine: of a server's file, memory may have old news. */
function statOf(octets: Buffer): FileStat | 'unknown' {
  const [major, minor] = [octets.readUInt32LE(AT.major), octets.readUInt32LE(AT.minor)]
  if (major === 0 || major > 0xfff || minor > 0xfffff) return 'unknown'
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
    bornMs: time(octets, AT.btime),
  }
}

/** Undefined on machines that cannot be told not to wait. */
export function nativeNames(koffi: typeof koffiModule.default, c: ReturnType<typeof koffiModule.default.load>): NativeNames | undefined {
  const statxNumber = SYS_STATX[process.arch]
  if (process.platform !== 'linux' || statxNumber === undefined) return undefined
  // koffi calls are untyped; the prototypes say what they take and return.
  const openat2 = c.func('int64 syscall(int64, int, str, void *, size_t)') as (call: number, folder: number, path: string, how: Buffer, octets: number) => number
  const statx = c.func('int64 syscall(int64, int, str, int, uint, void *)') as (call: number, fd: number, path: string, flags: number, mask: number, into: Buffer) => number
  const close = c.func('int close(int)') as (fd: number) => number
  const into = Buffer.alloc(STATX)
  /** struct open_how: flags, mode, resolve. */
  const how = Buffer.alloc(24)
  how.writeUInt32LE(RESOLVE_CACHED, 16)
  const opened = (path: string, flags: number): number | undefined | 'unknown' => {
    // A C string would end there; node refuses such a path.
    if (path.includes('\0')) return 'unknown'
    how.writeUInt32LE(flags | O_CLOEXEC, 0)
    const fd = openat2(SYS_OPENAT2, AT_FDCWD, path, how, how.length)
    if (fd >= 0) return fd
    // What the system remembers to be missing is missing: that is what it would tell whoever waits, too.
    return koffi.errno() === ENOENT ? undefined : 'unknown'
  }
  const ofDescriptor = (fd: number): FileStat | 'unknown' =>
    statx(statxNumber, fd, '', AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS_AND_BTIME, into) === 0 ? statOf(into) : 'unknown'
  const ofPath = (path: string, follow: boolean): FileStat | undefined | 'unknown' => {
    const fd = opened(path, O_PATH | (follow ? 0 : O_NOFOLLOW))
    if (typeof fd !== 'number') return fd
    try {
      return ofDescriptor(fd)
    } finally {
      close(fd)
    }
  }
  return {
    ofDescriptor,
    ofPath,
    open(path, flags) {
      // To open what another machine or a program serves may wait for it, so what is there is looked at first.
      const found = ofPath(path, (flags & O_NOFOLLOW) === 0)
      if (found === undefined || found === 'unknown') return found
      return found.kind === ((flags & O_DIRECTORY) === 0 ? 'file' : 'directory') ? opened(path, flags) : 'unknown'
    },
  }
}
