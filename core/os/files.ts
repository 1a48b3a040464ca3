import * as fs from 'node:fs'
import { constants } from 'node:os'
import { fileNameOctets, fileNameOf, isTextName } from '../api/file-names.js'
import type { Boot, DirectoryEntry, FileStat, Files, OpenFile, OpenHow } from '../api/files.js'
import { failedWith } from '../api/mail/file-failure.js'
import { thisBoot } from './boot.js'
import type { FileCalls } from './immediate.js'
import type { NativeLocks } from './native-locks.js'
import { answered, fileStat, fileTime, finished, SystemFile } from './open-file.js'
import { Prompt } from './prompt.js'

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_DIRECTORY } = fs.constants
/** Linux alone has it. */
const O_NOATIME = 'O_NOATIME' in fs.constants ? fs.constants.O_NOATIME : 0
const O_NONBLOCK = 'O_NONBLOCK' in fs.constants ? fs.constants.O_NONBLOCK : 0
/** Where it is missing, a sync follows each write. */
const O_DSYNC = 'O_DSYNC' in fs.constants ? fs.constants.O_DSYNC : 0

/** What file systems without links say to one. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'] as const

function cString(path: string): Buffer {
  return Buffer.concat([fileNameOctets(path), Buffer.of(0)])
}

async function statOrNothing(call: (done: (error: NodeJS.ErrnoException | null, s: fs.Stats | undefined) => void) => void): Promise<FileStat | undefined> {
  try {
    const stats = await answered<fs.Stats | undefined>(call)
    return stats && fileStat(stats)
  } catch (error) {
    // A component that is a file (ENOTDIR) holds nothing, as one that is missing.
    if (failedWith(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

function entryKind(entry: fs.Dirent<Buffer | string>): FileStat['kind'] {
  return entry.isFile() ? 'file' : entry.isDirectory() ? 'directory' : entry.isSymbolicLink() ? 'symlink' : 'other'
}

/** A path as node takes it: octets where some of it is no UTF-8. */
function onDisk(path: string): string | Buffer {
  return isTextName(path) ? path : Buffer.from(fileNameOctets(path))
}

/** The files of the machine: node:fs with the lock calls that it lacks. */
export class SystemFiles implements Files {
  readonly #locks: NativeLocks | undefined
  readonly #calls: FileCalls
  readonly #prompt: Prompt
  readonly boot?: Boot
  /** `calls`: other ones than node's own, which are done when they return. */
  constructor(locks: NativeLocks | undefined, calls?: FileCalls) {
    this.#locks = locks && (calls === undefined ? notWaiting(locks) : waiting(locks))
    this.#calls = calls ?? fs
    this.#prompt = new Prompt(calls === undefined ? locks?.names : undefined)
    const boot = thisBoot()
    if (boot !== undefined) this.boot = boot
  }

  async open(path: string, how: OpenHow = {}): Promise<OpenFile> {
    const file = await this.#open(path, how)
    if (how.syncWrites === true && O_DSYNC === 0) file.syncWrites = true
    return file
  }
  async #open(path: string, how: OpenHow): Promise<SystemFile> {
    const base = (how.write ? O_RDWR : O_RDONLY) | (how.noFollow ? O_NOFOLLOW : 0) | (how.syncWrites ? O_DSYNC : 0)
    const mode = how.mode ?? 0o600
    if (how.create === undefined) return this.#file(path, await this.#openExisting(path, base, how.keepAccessTime === true))
    if (how.create === 'new') return this.#created(path, base, mode)
    // Existing files keep their mode, so the two cases must be told apart; a name that comes or goes in between is tried again.
    for (;;) {
      try {
        return this.#file(path, await this.#openDescriptor(path, base))
      } catch (error) {
        if (!failedWith(error, 'ENOENT')) throw error
      }
      try {
        return await this.#created(path, base, mode)
      } catch (error) {
        if (!failedWith(error, 'EEXIST')) throw error
        // A symbolic link to nothing is "there" for O_EXCL and "missing" for open: refused instead of tried for ever.
        if ((await this.lstat(path))?.kind === 'symlink') throw error
      }
    }
  }
  /** Only the owner of a file and root may read it without a trace. */
  async #openExisting(path: string, flags: number, keepAccessTime: boolean): Promise<number> {
    if (!keepAccessTime || O_NOATIME === 0) return this.#openDescriptor(path, flags)
    try {
      return await this.#openDescriptor(path, flags | O_NOATIME)
    } catch (error) {
      if (!failedWith(error, 'EPERM')) throw error
      return this.#openDescriptor(path, flags)
    }
  }
  /** Of a file that is there. */
  async #openDescriptor(path: string, flags: number): Promise<number> {
    const wait = (): Promise<number> => openDescriptor(this.#calls, path, flags, 0)
    const fd = await (isTextName(path) ? this.#prompt.ask<number | undefined>((now) => now.open(path, flags | O_NONBLOCK), wait) : wait())
    if (fd === undefined) throw missing(path)
    return fd
  }
  #file(path: string, fd: number): SystemFile {
    return new SystemFile(path, fd, this.#locks, this.#calls, this.#prompt)
  }
  async #created(path: string, base: number, mode: number): Promise<SystemFile> {
    const fd = await openDescriptor(this.#calls, path, base | O_CREAT | O_EXCL, mode)
    const file = this.#file(path, fd)
    try {
      // The umask takes nothing off a mode that is the owner's alone, as most are.
      if ((await file.stat()).mode !== mode) await file.chmod(mode)
    } catch (error) {
      // A file system without modes has no better one to offer.
      if (!failedWith(error, 'EPERM', 'ENOTSUP', 'EINVAL')) {
        await file.close()
        throw error
      }
    }
    return file
  }

  borrow(path: string, shared: number): OpenFile {
    return new SystemFile(path, shared, this.#locks, this.#calls, this.#prompt, true)
  }
  stat(path: string): Promise<FileStat | undefined> {
    const name = onDisk(path)
    const wait = (): Promise<FileStat | undefined> => statOrNothing((done) => this.#calls.stat(name, done))
    return typeof name === 'string' ? this.#prompt.ask((now) => now.ofPath(name, true), wait) : wait()
  }
  lstat(path: string): Promise<FileStat | undefined> {
    const name = onDisk(path)
    const wait = (): Promise<FileStat | undefined> => statOrNothing((done) => this.#calls.lstat(name, done))
    return typeof name === 'string' ? this.#prompt.ask((now) => now.ofPath(name, false), wait) : wait()
  }
  async list(path: string): Promise<readonly DirectoryEntry[]> {
    const entries = await answered<fs.Dirent[]>((done) => this.#calls.readdir(onDisk(path), { withFileTypes: true }, done))
    const listed = entries.map((entry) => ({ name: entry.name, kind: entryKind(entry) }))
    // It stands for what is no UTF-8 as well as for itself.
    if (!listed.some(({ name }) => name.includes('\uFFFD'))) return listed
    const raw = await answered<fs.Dirent<Buffer>[]>((done) => this.#calls.readdir(onDisk(path), { withFileTypes: true, encoding: 'buffer' }, done))
    return raw.map((entry) => ({ name: fileNameOf(entry.name), kind: entryKind(entry) }))
  }
  async realPath(path: string): Promise<string> {
    return fileNameOf(await answered<Buffer>((done) => this.#calls.realpath.native(onDisk(path), 'buffer', done)))
  }
  async makeDirectory(path: string, mode: number): Promise<void> {
    await finished((done) => this.#calls.mkdir(onDisk(path), mode, done))
    if ((await this.lstat(path))?.mode !== mode) await this.chmod(path, mode)
  }
  removeDirectory(path: string): Promise<void> {
    return finished((done) => this.#calls.rmdir(onDisk(path), done))
  }
  unlink(path: string): Promise<void> {
    return finished((done) => this.#calls.unlink(onDisk(path), done))
  }
  rename(from: string, to: string): Promise<void> {
    return finished((done) => this.#calls.rename(onDisk(from), onDisk(to), done))
  }
  async renameToFree(from: string, to: string): Promise<void> {
    // What it refuses is tried by links, which tell why.
    if (await this.#renamedNow(from, to)) return
    try {
      await this.link(from, to)
    } catch (error) {
      if (!failedWith(error, ...NO_LINKS)) throw error
      if ((await this.lstat(to)) !== undefined) throw Object.assign(new Error(`EEXIST: file already exists, rename '${from}' -> '${to}'`, { cause: error }), { code: 'EEXIST' })
      return this.rename(from, to)
    }
    try {
      await this.unlink(from)
    } catch (error) {
      // Somebody did it, or gave it yet another name.
      if (!failedWith(error, 'ENOENT')) throw error
    }
  }
  #renamedNow(from: string, to: string): Promise<boolean> {
    const rename = this.#locks?.rename
    // A C string ends at a zero; node says that there is one.
    if (rename === undefined || from.includes('\0') || to.includes('\0')) return Promise.resolve(false)
    const [old, name] = [cString(from), cString(to)]
    // A thread that has nothing else to do may wait; the pool does it for others.
    return this.#calls === fs ? rename.unlessTaken(old, name) : Promise.resolve(rename.unlessTakenNow(old, name))
  }
  link(from: string, to: string): Promise<void> {
    return finished((done) => this.#calls.link(onDisk(from), onDisk(to), done))
  }
  chmod(path: string, mode: number): Promise<void> {
    return finished((done) => this.#calls.chmod(onDisk(path), mode, done))
  }
  setTimes(path: string, atimeMs: number, mtimeMs: number): Promise<void> {
    return finished((done) => this.#calls.utimes(onDisk(path), fileTime(atimeMs), fileTime(mtimeMs), done))
  }

  async syncDirectory(path: string): Promise<void> {
    const fd = await this.#openDescriptor(path, O_RDONLY | O_DIRECTORY)
    try {
      await finished((done) => this.#calls.fsync(fd, done))
    } catch (error) {
      // Some file systems (of the network, of user space) cannot sync a directory and keep names in order by themselves.
      if (!failedWith(error, 'EINVAL', 'ENOTSUP')) throw error
    } finally {
      await finished((done) => this.#calls.close(fd, done))
    }
  }

  watch(path: string, changed: (name?: string) => void): Disposable {
    const watcher = fs.watch(onDisk(path), { persistent: false, encoding: 'buffer' }, (_event, name) => changed(name === null ? undefined : fileNameOf(name)))
    // What is watched may go away; the caller notices by its own look at the file.
    watcher.on('error', () => changed())
    return { [Symbol.dispose]: () => watcher.close() }
  }
}

/** For the event loop, which must not wait for a disk. */
function notWaiting(locks: NativeLocks): NativeLocks {
  const { readWaiting: _read, writeOctets: _write, ...others } = locks
  return others
}
/** For a thread that may: what it reads at once is all that is there. */
function waiting(locks: NativeLocks): NativeLocks {
  return { ...locks, ...(locks.readWaiting && { readNow: locks.readWaiting }) }
}
/** As node says it. */
function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: no such file or directory, open '${path}'`), { errno: -constants.errno.ENOENT, code: 'ENOENT', syscall: 'open', path })
}
/** A pipe in the place of a file keeps nobody waiting for whoever writes to it; reading it then fails (ESPIPE). */
async function openDescriptor(calls: FileCalls, path: string, flags: number, mode: number): Promise<number> {
  try {
    return await answered<number>((done) => calls.open(onDisk(path), flags | O_NONBLOCK, mode, done))
  } catch (error) {
    // What another machine holds a lease of (fcntl(2), a file server) is worth the wait.
    if (!failedWith(error, 'EAGAIN')) throw error
    return await answered<number>((done) => calls.open(onDisk(path), flags, mode, done))
  }
}
