import { randomUUID } from 'node:crypto'
import type { Boot, DirectoryEntry, FileStat, Files, LockOutcome, OpenFile, OpenHow } from '../../api/files.js'
import type { DiskOp, Inode } from './disk-op.js'
import { InodeTable, type Node } from './inode-table.js'

/** An error of the machine to be met at one place. */
export interface Fault {
  /** Index of the change in the log that fails. */
  readonly at: number
  readonly code: 'ENOSPC' | 'EIO'
  /** Later changes of the same kind fail too (a full disk), or only this one does. */
  readonly lasting: boolean
}
/** A disk of this machine, as Linux numbers them: 8:1. */
const DEVICE = 0x801
type LockKind = 'flock' | 'fcntl'
interface Lock {
  readonly holder: VirtualFile
  readonly mode: 'shared' | 'exclusive'
}

/**
 * Files in memory that keep a log of every change. All that is open ends with the object: a crash is a new one over
 * `afterCrash(...)`. Paths are absolute; there are no symbolic links, owners or permissions.
 */
export class VirtualFiles implements Files {
  readonly disk: InodeTable
  /** The disk as it was when the log began. */
  readonly start: InodeTable
  readonly log: DiskOp[] = []
  /** Where the next failure is. */
  fault: Fault | undefined
  /** Files that are open now, by path: what is not closed at the end is a leak. */
  readonly open_ = new Set<OpenFile>()
  readonly #locks: Record<LockKind, Map<Inode, Lock[]>> = { flock: new Map(), fcntl: new Map() }
  readonly #watches = new Set<{ readonly path: string; readonly changed: () => void }>()
  readonly boot: Boot
  #nextInode: Inode
  #descriptors = 0

  /** `boot`: of the machine that goes on; undefined: it was started anew. */
  constructor(disk: InodeTable = new InodeTable(1_700_000_000_000), boot: Boot = { id: randomUUID(), sinceMs: disk.now }) {
    this.boot = boot
    this.start = disk
    this.disk = disk.clone()
    this.#nextInode = disk.largest + 1
  }

  /** What tests look at, without the contract's detours. */
  contents(path: string): Uint8Array | undefined {
    const node = this.#find(path)
    return node?.kind === 'file' ? node.data.slice(0, node.size) : undefined
  }

  async open(path: string, how: OpenHow = {}): Promise<OpenFile> {
    await undefined
    const there = this.#find(path)
    if (there !== undefined) {
      if (how.create === 'new') throw failure('EEXIST', 'open', path)
      if (there.kind === 'directory') throw failure('EISDIR', 'open', path)
      return this.#opened(path, there.inode, how)
    }
    if (how.create === undefined) throw failure('ENOENT', 'open', path)
    const { dir, name } = this.#parent(path, 'open')
    const inode = this.#nextInode++
    this.change({ op: 'create', dir: dir.inode, name, inode, kind: 'file', mode: how.mode ?? 0o600 }, path)
    return this.#opened(path, inode, how)
  }
  borrow(path: string, shared: number): OpenFile {
    for (const file of this.open_) if (file.shared === shared) return borrowed(file)
    throw failure('EBADF', 'borrow', path)
  }
  async stat(path: string): Promise<FileStat | undefined> {
    await undefined
    const node = this.#find(path)
    return node === undefined ? undefined : this.statOf(node)
  }
  lstat(path: string): Promise<FileStat | undefined> {
    return this.stat(path)
  }
  async list(path: string): Promise<readonly DirectoryEntry[]> {
    await undefined
    const node = this.#directory(path, 'scandir')
    return [...node.names].map(([name, inode]) => ({ name, kind: this.disk.node(inode)?.kind ?? 'other' }))
  }
  async realPath(path: string): Promise<string> {
    await undefined
    if (this.#find(path) === undefined) throw failure('ENOENT', 'realpath', path)
    return `/${parts(path).join('/')}`
  }
  async makeDirectory(path: string, mode: number): Promise<void> {
    await undefined
    if (this.#find(path) !== undefined) throw failure('EEXIST', 'mkdir', path)
    const { dir, name } = this.#parent(path, 'mkdir')
    this.change({ op: 'create', dir: dir.inode, name, inode: this.#nextInode++, kind: 'directory', mode }, path)
  }
  async removeDirectory(path: string): Promise<void> {
    await undefined
    const node = this.#directory(path, 'rmdir')
    if (node.names.size > 0) throw failure('ENOTEMPTY', 'rmdir', path)
    const { dir, name } = this.#parent(path, 'rmdir')
    this.change({ op: 'unlink', dir: dir.inode, name, inode: node.inode }, path)
  }
  async unlink(path: string): Promise<void> {
    await undefined
    const node = this.#mustFind(path, 'unlink')
    if (node.kind === 'directory') throw failure('EISDIR', 'unlink', path)
    const { dir, name } = this.#parent(path, 'unlink')
    this.change({ op: 'unlink', dir: dir.inode, name, inode: node.inode }, path)
  }
  async rename(from: string, to: string): Promise<void> {
    await undefined
    this.#rename(from, to)
  }
  async renameToFree(from: string, to: string): Promise<void> {
    await undefined
    this.#mustFind(from, 'rename')
    if (this.#find(to) !== undefined) throw failure('EEXIST', 'rename', to)
    this.#rename(from, to)
  }
  #rename(from: string, to: string): void {
    const node = this.#mustFind(from, 'rename')
    const target = this.#find(to)
    if (target?.inode === node.inode) return
    if (target?.kind === 'directory' && (node.kind !== 'directory' || target.names.size > 0)) throw failure(node.kind === 'directory' ? 'ENOTEMPTY' : 'EISDIR', 'rename', to)
    if (target?.kind === 'file' && node.kind === 'directory') throw failure('ENOTDIR', 'rename', to)
    if (node.kind === 'directory' && `${to}/`.startsWith(`${from}/`)) throw failure('EINVAL', 'rename', to)
    const old = this.#parent(from, 'rename')
    const { dir, name } = this.#parent(to, 'rename')
    this.change({ op: 'rename', fromDir: old.dir.inode, from: old.name, dir: dir.inode, name, inode: node.inode }, to)
    this.#tell(from)
  }
  async link(from: string, to: string): Promise<void> {
    await undefined
    const node = this.#mustFind(from, 'link')
    if (node.kind === 'directory') throw failure('EPERM', 'link', from)
    if (this.#find(to) !== undefined) throw failure('EEXIST', 'link', to)
    const { dir, name } = this.#parent(to, 'link')
    this.change({ op: 'link', dir: dir.inode, name, inode: node.inode }, to)
  }
  async chmod(path: string, mode: number): Promise<void> {
    await undefined
    this.change({ op: 'chmod', inode: this.#mustFind(path, 'chmod').inode, mode }, path)
  }
  async setTimes(path: string, atimeMs: number, mtimeMs: number): Promise<void> {
    await undefined
    this.change({ op: 'times', inode: this.#mustFind(path, 'utime').inode, atimeMs, mtimeMs }, path)
  }
  async syncDirectory(path: string): Promise<void> {
    await undefined
    this.change({ op: 'sync-directory', inode: this.#directory(path, 'fsync').inode }, path)
  }
  watch(path: string, changed: () => void): Disposable {
    const entry = { path: `/${parts(path).join('/')}`, changed }
    this.#watches.add(entry)
    return { [Symbol.dispose]: () => void this.#watches.delete(entry) }
  }

  /** Every change passes here: it fails where it was told to, else it is logged and done. */
  change(op: DiskOp, path: string): void {
    const fault = this.fault
    if (fault !== undefined && this.log.length >= fault.at && (fault.lasting || this.log.length === fault.at) && canFail(op, fault.code)) {
      if (!fault.lasting) this.fault = undefined
      // A failed write may have written a part (POSIX).
      if (op.op === 'write' && op.bytes.length > 1) this.#record({ ...op, bytes: op.bytes.slice(0, op.bytes.length >>> 1) })
      throw failure(fault.code, op.op, path)
    }
    this.#record(op)
    if (op.op !== 'sync' && op.op !== 'sync-directory') this.#tell(path)
  }
  #record(op: DiskOp): void {
    this.log.push(op)
    this.disk.apply(op)
  }
  #tell(path: string): void {
    const whole = `/${parts(path).join('/')}`
    for (const { path: watched, changed } of this.#watches) if (whole === watched || whole.slice(0, whole.lastIndexOf('/')) === watched) queueMicrotask(changed)
  }

  statOf(node: Node): FileStat {
    const { kind, inode, mode, atimeMs, mtimeMs, ctimeMs } = node
    const links = kind === 'directory' ? 2 : this.disk.links(inode)
    return { kind, device: DEVICE, inode, size: node.size, links, mode, uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, atimeMs, mtimeMs, ctimeMs }
  }

  lock(file: VirtualFile, inode: Inode, kind: LockKind, mode: Lock['mode']): LockOutcome {
    const others = (this.#locks[kind].get(inode) ?? []).filter((l) => l.holder !== file)
    if (others.some((l) => mode === 'exclusive' || l.mode === 'exclusive')) return 'busy'
    this.#locks[kind].set(inode, [...others, { holder: file, mode }])
    return 'locked'
  }
  unlock(file: VirtualFile, inode: Inode, kind: LockKind): void {
    const left = (this.#locks[kind].get(inode) ?? []).filter((l) => l.holder !== file)
    if (left.length === 0) this.#locks[kind].delete(inode)
    else this.#locks[kind].set(inode, left)
  }

  #opened(path: string, inode: Inode, how: OpenHow): OpenFile {
    const file = new VirtualFile(this, path, inode, how.syncWrites === true, ++this.#descriptors)
    this.open_.add(file)
    return file
  }
  #find(path: string): Node | undefined {
    let node = this.disk.node(this.disk.root)
    for (const part of parts(path)) {
      const inode = node?.names.get(part)
      if (inode === undefined) return undefined
      node = this.disk.node(inode)
    }
    return node
  }
  #mustFind(path: string, call: string): Node {
    const node = this.#find(path)
    if (node === undefined) throw failure('ENOENT', call, path)
    return node
  }
  #directory(path: string, call: string): Node {
    const node = this.#mustFind(path, call)
    if (node.kind !== 'directory') throw failure('ENOTDIR', call, path)
    return node
  }
  #parent(path: string, call: string): { readonly dir: Node; readonly name: string } {
    const names = parts(path)
    const name = names.pop()
    if (name === undefined) throw failure('EBUSY', call, path)
    if (Buffer.byteLength(name) > 255) throw failure('ENAMETOOLONG', call, path)
    return { dir: this.#directory(`/${names.join('/')}`, call), name }
  }
}

/** A descriptor over an inode, which lives on when its name goes. */
class VirtualFile implements OpenFile {
  readonly path: string
  readonly #files: VirtualFiles
  readonly #inode: Inode
  readonly #syncWrites: boolean
  readonly shared: number
  #closed = false

  constructor(files: VirtualFiles, path: string, inode: Inode, syncWrites: boolean, shared: number) {
    this.shared = shared
    this.#syncWrites = syncWrites
    this.#files = files
    this.path = path
    this.#inode = inode
  }
  async read(into: Uint8Array, at: number): Promise<number> {
    const node = this.#node()
    await undefined
    const found = node.data.subarray(Math.min(at, node.size), Math.min(at + into.length, node.size))
    into.set(found)
    return found.length
  }
  async write(chunks: readonly Uint8Array[], at: number): Promise<void> {
    this.#node()
    await undefined
    this.#files.change({ op: 'write', inode: this.#inode, at, bytes: Buffer.concat(chunks) }, this.path)
    if (this.#syncWrites) this.#files.change({ op: 'sync', inode: this.#inode }, this.path)
  }
  async truncate(size: number): Promise<void> {
    this.#node()
    await undefined
    this.#files.change({ op: 'truncate', inode: this.#inode, size }, this.path)
  }
  async sync(): Promise<void> {
    this.#node()
    await undefined
    this.#files.change({ op: 'sync', inode: this.#inode }, this.path)
  }
  async stat(): Promise<FileStat> {
    const node = this.#node()
    await undefined
    return this.#files.statOf(node)
  }
  async chmod(mode: number): Promise<void> {
    await undefined
    this.#files.change({ op: 'chmod', inode: this.#node().inode, mode }, this.path)
  }
  async setTimes(atimeMs: number, mtimeMs: number): Promise<void> {
    await undefined
    this.#files.change({ op: 'times', inode: this.#node().inode, atimeMs, mtimeMs }, this.path)
  }
  lock(kind: LockKind, mode: Lock['mode']): LockOutcome {
    this.#node()
    return this.#files.lock(this, this.#inode, kind, mode)
  }
  unlock(kind: LockKind): void {
    this.#files.unlock(this, this.#inode, kind)
  }
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.unlock('flock')
    this.unlock('fcntl')
    this.#files.open_.delete(this)
    await undefined
  }
  #node(): Node {
    const node = this.#files.disk.node(this.#inode)
    if (this.#closed || node === undefined) throw failure('EBADF', 'use', this.path)
    return node
  }
}

/** Its owner unlocks and closes it. */
function borrowed(file: OpenFile): OpenFile {
  return {
    path: file.path,
    read: (into, at) => file.read(into, at),
    write: (chunks, at) => file.write(chunks, at),
    truncate: (size) => file.truncate(size),
    sync: () => file.sync(),
    stat: () => file.stat(),
    chmod: (mode) => file.chmod(mode),
    setTimes: (atimeMs, mtimeMs) => file.setTimes(atimeMs, mtimeMs),
    lock: (kind, mode) => file.lock(kind, mode),
    unlock: () => undefined,
    close: () => Promise.resolve(),
  }
}
/** A full disk refuses what needs room; a broken one refuses anything. */
function canFail(op: DiskOp, code: Fault['code']): boolean {
  if (code === 'EIO') return true
  return op.op === 'write' || op.op === 'create' || op.op === 'link' || op.op === 'rename'
}
function parts(path: string): string[] {
  if (!path.startsWith('/')) throw failure('EINVAL', 'resolve', path)
  const out: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') out.pop()
    else if (part !== '' && part !== '.') out.push(part)
  }
  return out
}
function failure(code: string, call: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${call} '${path}'`), { code, syscall: call, path })
}
