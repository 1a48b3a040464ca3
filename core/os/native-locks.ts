import { constants, release } from 'node:os'
import type * as koffiModule from 'koffi'
import type { LockOutcome } from '../api/files.js'
import { nativeAcks, type AcknowledgeNow } from './native-acks.js'
import { nativeNames, type NativeNames } from './native-names.js'
import { nativeRename, type NativeRename } from './native-rename.js'

/** Calls that Node lacks. Every one tries once and returns at once. */
export interface NativeLocks {
  flock(fd: number, mode: 'shared' | 'exclusive' | 'none'): LockOutcome
  /** Open-file-description lock on the whole file: conflicts with classic fcntl locks and between two descriptors of one process. */
  fcntl(fd: number, mode: 'shared' | 'exclusive' | 'none'): LockOutcome
  /** Octets read of those that are in memory; below 0 where that would have to wait, or is not to be had of this file. Absent where the system lacks it. */
  readonly readNow?: (fd: number, into: Uint8Array, at: number) => number
  /** The same for who may wait. */
  readonly readWaiting?: (fd: number, into: Uint8Array, at: number) => number
  /** Octets written of these, each to its place; fewer where one could not be, of which `write` tells why. It waits as that does. Absent where the system lacks it. */
  readonly writeOctets?: (fd: number, at: Float64Array, octets: Uint8Array) => number
  /** Has octets brought to the disk, which nobody waits for, on a thread of the pool. Absent where the system lacks it. */
  readonly beginWriting?: (fd: number, at: number, octets: number, told: () => void) => void
  readonly rename?: NativeRename
  readonly names?: NativeNames
  readonly acknowledgeNow?: AcknowledgeNow
}

type Koffi = typeof koffiModule.default
const FLOCK = { shared: 1, exclusive: 2, none: 8 } as const
const FLOCK_NOWAIT = 4
const OFD_SETLK = 37
const RWF_NOWAIT = 8
const SYNC_FILE_RANGE_WRITE = 2
const FCNTL = { shared: 0, exclusive: 1, none: 2 } as const
const { EBADF, EINTR, EINVAL, EIO, ENOLCK, ENOSYS, ENOTSUP, EOPNOTSUPP } = constants.errno
/** What the system says where there are no locks, on some network file systems. Anything else says that somebody else has it: going on without a lock is what may lose mail. */
const NO_LOCKS: ReadonlySet<number> = new Set([EBADF, EINVAL, EIO, ENOLCK, ENOSYS, ENOTSUP, EOPNOTSUPP])

/**
 * Binds the C library through koffi, an optional dependency. Undefined where koffi is not installed or has no binary
 * for this machine; locks then answer `unavailable`.
 */
async function loadNativeLocks(): Promise<NativeLocks | undefined> {
  if (process.platform === 'win32') return undefined
  try {
    const { default: koffi } = await import('koffi')
    const c = koffi.load(process.platform === 'darwin' ? 'libSystem.dylib' : null)
    // koffi calls are untyped; the prototypes beside them say what they take and return.
    const flock = c.func('int flock(int, int)') as (fd: number, operation: number) => number
    const outcome = (call: () => number): LockOutcome => {
      for (;;) {
        if (call() === 0) return 'locked'
        const reason = koffi.errno()
        if (reason === EINTR) continue
        return NO_LOCKS.has(reason) ? 'unavailable' : 'busy'
      }
    }
    const native: NativeLocks = {
      flock: (fd, mode) => outcome(() => flock(fd, FLOCK[mode] | FLOCK_NOWAIT)),
      fcntl: () => 'unavailable',
    }
    // The layout of struct flock and the number of F_OFD_SETLK are Linux's, on machines of 64 bits.
    if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return native
    const readNow = nonWaitingRead(koffi, c)
    const rename = nativeRename(c)
    const names = nativeNames(koffi, c)
    koffi.struct('mailwright_flock', { type: 'int16', whence: 'int16', start: 'int64', len: 'int64', pid: 'int32' })
    const fcntl = c.func('int fcntl(int, int, ...)') as (fd: number, command: number, type: string, lock: object) => number
    return {
      ...native,
      ...(readNow && { readNow }),
      ...waitingCalls(c),
      ...writingBehind(c),
      ...(rename && { rename }),
      ...(names && { names }),
      acknowledgeNow: nativeAcks(c),
      fcntl: (fd, mode) =>
        outcome(() => fcntl(fd, OFD_SETLK, 'mailwright_flock *', { type: FCNTL[mode], whence: 0, start: 0, len: 0, pid: 0 })),
    }
  } catch {
    // Not installed, or built for another machine: the dot-lock remains (spec of locks §6).
    return undefined
  }
}

/** Linux alone can be told not to wait; C libraries have the call since 2017 (glibc 2.26) and 2024 (musl 1.2.5). */
function nonWaitingRead(koffi: Koffi, c: ReturnType<Koffi['load']>): NativeLocks['readNow'] {
  try {
    koffi.struct('mailwright_iovec', { base: 'void *', length: 'size_t' })
    // koffi calls are untyped; the prototype says what it takes and returns.
    const preadv2 = c.func('int64 preadv2(int, mailwright_iovec *, int, int64, int)') as (fd: number, into: object, pieces: number, at: number, flags: number) => number
    return withoutFalseEnds(release(), (fd, into, at) => preadv2(fd, { base: into, length: into.length }, 1, at, RWF_NOWAIT))
  } catch {
    return undefined
  }
}
/** It waits for nothing that is written, only where the disk has too much to do already (sync_file_range(2)), and leaves errors to the next sync. */
function writingBehind(c: ReturnType<Koffi['load']>): Pick<NativeLocks, 'beginWriting'> {
  try {
    const range = c.func('int sync_file_range(int, int64, int64, unsigned int)')
    return { beginWriting: (fd, at, octets, told) => range.async(fd, at, octets, SYNC_FILE_RANGE_WRITE, () => told()) }
  } catch {
    // A C library without the call.
    return {}
  }
}
/** A call of Node's own takes several times as long as the system does to read a line, or to write one octet. */
function waitingCalls(c: ReturnType<Koffi['load']>): Required<Pick<NativeLocks, 'readWaiting' | 'writeOctets'>> {
  // koffi calls are untyped; the prototypes say what they take and return. off_t has 64 bits on these machines.
  const pread = c.func('int64 pread(int, void *, size_t, int64)') as (fd: number, into: Uint8Array, octets: number, at: number) => number
  const pwrite = c.func('int64 pwrite(int, void *, size_t, int64)') as (fd: number, from: Uint8Array, octets: number, at: number) => number
  const octet = new Uint8Array(1)
  return {
    readWaiting: (fd, into, at) => pread(fd, into, into.length, at),
    writeOctets(fd, at, octets) {
      for (let n = 0; n < octets.length; n++) {
        octet[0] = octets[n] ?? 0
        if (pwrite(fd, octet, 1, at[n] ?? 0) !== 1) return n
      }
      return octets.length
    },
  }
}
/** Linux 5.9 and 5.10 also say 0, the end of the file, of what is not in memory (preadv2(2), "BUGS"): there it says nothing. */
export function withoutFalseEnds(system: string, read: NonNullable<NativeLocks['readNow']>): NonNullable<NativeLocks['readNow']> {
  return /^5\.(9|10)\b/.test(system) ? (fd, into, at) => read(fd, into, at) || -1 : read
}

/** Once per process: koffi refuses to define a struct twice. */
let loading: Promise<NativeLocks | undefined> | undefined
export function nativeLocks(): Promise<NativeLocks | undefined> {
  loading ??= loadNativeLocks()
  return loading
}
