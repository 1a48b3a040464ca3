import { createToken, extensionPoint, type Clock } from './kernel.js'

/** What a `stat` tells. Times are milliseconds since 1970 with fractions down to the microsecond. */
export interface FileStat {
  readonly kind: 'file' | 'directory' | 'symlink' | 'other'
  readonly device: number
  readonly inode: number
  readonly size: number
  readonly links: number
  /** Permission bits only (0o7777). */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly atimeMs: number
  readonly mtimeMs: number
  readonly ctimeMs: number
  /** When it was made, where the file system tells that. */
  readonly bornMs?: number | undefined
}
/** What tells files apart. */
export type FileIdentity = Pick<FileStat, 'device' | 'inode' | 'bornMs'>
/** Whether both are of one file. The inode of a file that is gone is used again at once; when a file was made is compared where both tell it. */
export function isSameFile(one: FileIdentity, other: FileIdentity): boolean {
  return one.device === other.device && one.inode === other.inode && (one.bornMs === undefined || other.bornMs === undefined || one.bornMs === other.bornMs)
}
export interface DirectoryEntry {
  readonly name: string
  readonly kind: FileStat['kind']
}
/** `locked`, held by somebody else, or not to be had on this machine (no native calls) or file system. */
export type LockOutcome = 'locked' | 'busy' | 'unavailable'
/** An open file; every position is explicit. Closed by its opener, once. */
export interface OpenFile {
  readonly path: string
  /** Names it for `Files.borrow`, as long as it is open; a value that other threads of the process understand. */
  readonly shared?: number
  /** Octets read, 0 at the end; fills `into` unless the file ends. */
  read(into: Uint8Array, at: number): Promise<number>
  /**
   * Fills `into` with what the system has in memory, at once; false, with anything in `into`, where it would have to wait for a disk or a server, where the
   * file ends before, and where it cannot tell: then `read` does it. For few octets, since the event loop does nothing else meanwhile; a thread
   * that may wait reads from the disk as well. Absent where the machine has no such call.
   */
  readNow?(into: Uint8Array, at: number): boolean
  /**
   * The same where nobody knows how much there is: octets read, fewer than `into` takes only where the file ends; undefined, with anything in `into`, where
   * it would have to wait, or cannot tell. Absent where the machine has no such call.
   */
  readSomeNow?(into: Uint8Array, at: number): number | undefined
  /** Writes all chunks one after the other from `at`, or throws; a failed write may have written a part. */
  write(chunks: readonly Uint8Array[], at: number): Promise<void>
  /**
   * Writes single octets, each to its place, one after the other as so many calls of `write` would: a failure leaves those before it written. `at` has as many
   * places as there are octets. Absent where it takes as long as these calls, which is everywhere but on a thread that may wait.
   */
  writeOctets?(at: Float64Array, octets: Uint8Array): Promise<void>
  /**
   * Has the system bring these octets to the disk while something else goes on, so that the next `sync` finds less to do. Nothing is durable by it, and nothing is
   * refused: what fails, `sync` says. Resolves when the disk has been told; the file must not be closed before. Absent where the system lacks it.
   */
  beginWriting?(at: number, octets: number): Promise<void>
  truncate(size: number): Promise<void>
  /** Data and size are on the disk when it resolves (fdatasync). */
  sync(): Promise<void>
  stat(): Promise<FileStat>
  chmod(mode: number): Promise<void>
  setTimes(atimeMs: number, mtimeMs: number): Promise<void>
  /**
   * Tries once and never waits. `flock` is flock(2); `fcntl` is a whole-file open-file-description lock, which
   * conflicts with classic fcntl locks of other programs and with other open files of this process.
   */
  lock(kind: 'flock' | 'fcntl', mode: 'shared' | 'exclusive'): LockOutcome
  unlock(kind: 'flock' | 'fcntl'): void
  close(): Promise<void>
}
/** How `Files.open` opens. Reading is always allowed. */
export interface OpenHow {
  readonly write?: boolean
  /** `new` fails with EEXIST when the name is taken (O_EXCL); `if-missing` makes it when needed. */
  readonly create?: 'new' | 'if-missing'
  /** For a created file; set exactly, whatever the umask. Default 0o600. */
  readonly mode?: number
  /** Reading leaves the time of access as it is, where the machine can do that for this user. Mail programs tell new mail by it. */
  readonly keepAccessTime?: boolean
  /** Refuse a symbolic link (ELOOP). */
  readonly noFollow?: boolean
  /** Every `write` is on the disk when it resolves, as if `sync` followed it, in one call (O_DSYNC). */
  readonly syncWrites?: boolean
}
/**
 * The last start of the machine. Until the next one, all that was written is there, synced or not, whatever becomes of the processes that wrote it.
 */
export interface Boot {
  /** Another one after each start. */
  readonly id: string
  readonly sinceMs: number
}
/**
 * The files of the machine, as every driver reaches them; a test puts a recorder here. Failures are Node's system
 * errors (`code` ENOENT, ENOSPC, ...). A path is absolute; in paths and names an octet that is no UTF-8 is as `fileNameOf` has it. Nothing is durable before `sync` (content) and
 * `syncDirectory` (names).
 */
export interface Files {
  /** Absent where the machine does not tell. */
  readonly boot?: Boot
  open(path: string, how?: OpenHow): Promise<OpenFile>
  /** Follows symbolic links; undefined when there is nothing. */
  stat(path: string): Promise<FileStat | undefined>
  /**
   * A file that somebody in this process has open, by its `shared`: the locks are the same. To unlock or close it does nothing, and its owner keeps it
   * open meanwhile. Absent where that cannot be.
   */
  borrow?(path: string, shared: number): OpenFile
  lstat(path: string): Promise<FileStat | undefined>
  /** Without `.` and `..`, unsorted; kinds are those of the names themselves (`symlink` is not followed). */
  list(path: string): Promise<readonly DirectoryEntry[]>
  realPath(path: string): Promise<string>
  makeDirectory(path: string, mode: number): Promise<void>
  removeDirectory(path: string): Promise<void>
  unlink(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /**
   * Gives a file or a folder another name that nobody has (EEXIST), in one step where the system can (Linux). Elsewhere, and on file systems that cannot (those of servers),
   * a file has both names for a moment, and after a crash in that moment for good; without links, which folders never have, a name that comes in the same moment is replaced
   * (of folders only an empty one).
   */
  renameToFree(from: string, to: string): Promise<void>
  link(from: string, to: string): Promise<void>
  chmod(path: string, mode: number): Promise<void>
  setTimes(path: string, atimeMs: number, mtimeMs: number): Promise<void>
  syncDirectory(path: string): Promise<void>
  /**
   * Calls back, at least once per burst, when the file or directory may have changed, with the name in the directory where the machine
   * tells it. Throws where the machine cannot watch.
   */
  watch(path: string, changed: (name?: string) => void): Disposable
}
export const FILES = createToken<Files>('files').in('process')

/** What work on files is given, wherever it runs. */
export interface FileTools {
  readonly files: Files
  readonly clock: Clock
  readonly random: (octets: number) => Uint8Array
}
/**
 * Work that makes many calls on files one after the other. `module` is the address of the module whose export `run` is this function; arguments
 * and results are values (structured clone), so that it can run on a thread of its own, where a call costs no way through the event loop.
 */
export interface FileTask<A, R> {
  readonly module: string
  /** So many calls that it is worth the wait until a thread is free, or has started. */
  readonly long?: boolean
  run(tools: FileTools, args: A): Promise<R>
}
/** Runs such work. It throws what the task throws: a MailError as one, a system error with its `code`, both with their causes. */
export interface FileLane {
  run<A, R>(task: FileTask<A, R>, args: A): Promise<R>
}
export const FILE_LANE = createToken<FileLane>('files.lane').in('process')

/** A lock file that stands beside a mailbox until it is released. */
export interface HeldLock {
  release(): Promise<void>
}
/**
 * Another way to `MAILBOX.lock`, for folders that take no files from this user (FAQ 7.10): a program with the right to them, a service. Asked
 * when there is no permission to make it, and at no other time.
 */
export interface Locker {
  /**
   * Undefined: it cannot make one either. An implementation must see to it that the lock goes when this process is killed.
   *
   * @param mailbox absolute path of an existing file.
   * @throws MailError `in-use` when another program had the lock for as long as locks are waited for.
   */
  lock(mailbox: string, signal: AbortSignal): Promise<HeldLock | undefined>
}
/** Asked in this order. */
export const lockers = extensionPoint<Locker>('files.lockers').in({ scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.files.lockers' })
