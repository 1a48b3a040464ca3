import type * as fs from 'node:fs'
import type { FileStat, LockOutcome, OpenFile } from '../api/files.js'
import type { FileCalls } from './immediate.js'
import type { NativeLocks } from './native-locks.js'
import type { Prompt } from './prompt.js'

type Done = (error: NodeJS.ErrnoException | null) => void
/** A promise of a callback call; the callback API spares the FileHandle objects of `fs.promises`. */
export function finished(start: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => start((error) => (error ? reject(error) : resolve())))
}
/** The same for calls that answer a value. */
export function answered<T>(start: (done: (error: NodeJS.ErrnoException | null, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => start((error, value) => (error ? reject(error) : resolve(value))))
}

/** What the system says of a descriptor, with its file, as it says it of a path: a disk that is full is looked for by that. */
function named<E>(error: E, path: string): E {
  if (error instanceof Error && 'syscall' in error && !('path' in error)) Object.assign(error, { message: `${error.message} '${path}'`, path })
  return error
}

/** A time as node:fs takes it: seconds. It takes a negative number for now, and a Date, which is less exact, for what it says. */
export function fileTime(ms: number): number | Date {
  return ms < 0 ? new Date(ms) : ms / 1000
}

/** Node's stat as the contract has it. */
export function fileStat(s: fs.Stats): FileStat {
  return {
    kind: s.isFile() ? 'file' : s.isDirectory() ? 'directory' : s.isSymbolicLink() ? 'symlink' : 'other',
    device: s.dev,
    inode: s.ino,
    size: s.size,
    links: s.nlink,
    mode: s.mode & 0o7777,
    uid: s.uid,
    gid: s.gid,
    atimeMs: s.atimeMs,
    mtimeMs: s.mtimeMs,
    ctimeMs: s.ctimeMs,
    bornMs: s.birthtimeMs,
  }
}

/** writev takes at most IOV_MAX (1024 on Linux) pieces; more are sent in several calls. */
const MAX_PIECES = 1000

/** A descriptor of the system. */
export class SystemFile implements OpenFile {
  readonly path: string
  readonly #fd: number
  readonly #locks: NativeLocks | undefined
  readonly #calls: FileCalls
  readonly #prompt: Prompt
  readonly #borrowed: boolean
  #closed = false
  readonly writeOctets?: NonNullable<OpenFile['writeOctets']>
  readonly beginWriting?: NonNullable<OpenFile['beginWriting']>
  /** A sync follows each write, since the machine cannot write so by itself. */
  syncWrites = false

  /** `borrowed`: somebody else closes and unlocks it. */
  constructor(path: string, fd: number, locks: NativeLocks | undefined, calls: FileCalls, prompt: Prompt, borrowed = false) {
    this.#calls = calls
    this.#prompt = prompt
    this.#borrowed = borrowed
    this.path = path
    this.#fd = fd
    this.#locks = locks
    const native = locks?.writeOctets
    if (native !== undefined) this.writeOctets = (at, octets) => this.#writeEach(native, at, octets)
    const begin = locks?.beginWriting
    // The number of a closed file may be another's by now.
    if (begin !== undefined) this.beginWriting = (at, octets) => new Promise((told) => (this.#closed ? told() : begin(this.#fd, at, octets, told)))
  }

  /** Descriptors are those of the process. */
  get shared(): number {
    return this.#fd
  }

  async read(into: Uint8Array, at: number): Promise<number> {
    let got = 0
    try {
      while (got < into.length) {
        const n = await answered<number>((done) => this.#calls.read(this.#fd, into, got, into.length - got, at + got, done))
        if (n === 0) break
        got += n
      }
    } catch (error) {
      throw named(error, this.path)
    }
    return got
  }

  readNow(into: Uint8Array, at: number): boolean {
    // The number of a closed file may be another's by now.
    if (this.#closed || into.length === 0) return false
    return this.#locks?.readNow?.(this.#fd, into, at) === into.length
  }
  readSomeNow(into: Uint8Array, at: number): number | undefined {
    if (this.#closed) return undefined
    for (let got = 0; got < into.length; ) {
      // A short answer may be all that is in memory: the end of the file is where nothing more is read.
      const n = this.#locks?.readNow?.(this.#fd, got === 0 ? into : into.subarray(got), at + got) ?? -1
      if (n < 0) return undefined
      if (n === 0) return got
      got += n
    }
    return into.length
  }

  async write(chunks: readonly Uint8Array[], at: number): Promise<void> {
    let place = at
    try {
      for (let first = 0; first < chunks.length; first += MAX_PIECES) {
        const pieces = chunks.length > MAX_PIECES ? chunks.slice(first, first + MAX_PIECES) : chunks
        const total = pieces.reduce((sum, piece) => sum + piece.length, 0)
        let wrote = await answered<number>((done) => this.#calls.writev(this.#fd, pieces, place, done))
        // A short write happens at a full disk or a limit: the rest is tried piece by piece, which then throws the reason.
        if (wrote < total) wrote = await this.#writeRest(pieces, place, wrote)
        place += wrote
      }
    } catch (error) {
      throw named(error, this.path)
    }
    if (this.syncWrites) await this.sync()
  }

  async #writeEach(native: NonNullable<NativeLocks['writeOctets']>, at: Float64Array, octets: Uint8Array): Promise<void> {
    for (let n = 0; n < octets.length; n++) {
      n += native(this.#fd, at.subarray(n), octets.subarray(n))
      if (n < octets.length) await this.write([octets.subarray(n, n + 1)], at[n] ?? 0)
    }
    if (this.syncWrites) await this.sync()
  }

  async #writeRest(pieces: readonly Uint8Array[], at: number, from: number): Promise<number> {
    let start = 0
    let wrote = from
    for (const piece of pieces) {
      const end = start + piece.length
      while (wrote < end) {
        const offset = wrote - start
        const n = await answered<number>((done) => this.#calls.write(this.#fd, piece, offset, piece.length - offset, at + wrote, done))
        if (n === 0) throw Object.assign(new Error(`ENOSPC: nothing written to ${this.path}`), { code: 'ENOSPC' })
        wrote += n
      }
      start = end
    }
    return wrote
  }

  truncate(size: number): Promise<void> {
    return this.#finished((done) => this.#calls.ftruncate(this.#fd, size, done))
  }
  sync(): Promise<void> {
    return this.#finished((done) => this.#calls.fdatasync(this.#fd, done))
  }
  stat(): Promise<FileStat> {
    // The number of a closed file may be another's by now.
    return this.#prompt.ask((now) => (this.#closed ? 'unknown' : now.ofDescriptor(this.#fd)), async () => fileStat(await answered<fs.Stats>((done) => this.#calls.fstat(this.#fd, done))))
  }
  chmod(mode: number): Promise<void> {
    return this.#finished((done) => this.#calls.fchmod(this.#fd, mode, done))
  }
  setTimes(atimeMs: number, mtimeMs: number): Promise<void> {
    return this.#finished((done) => this.#calls.futimes(this.#fd, fileTime(atimeMs), fileTime(mtimeMs), done))
  }

  lock(kind: 'flock' | 'fcntl', mode: 'shared' | 'exclusive'): LockOutcome {
    // The number of a closed file may be another's by now, here and below.
    if (this.#closed) return 'busy'
    return this.#locks?.[kind](this.#fd, mode) ?? 'unavailable'
  }
  unlock(kind: 'flock' | 'fcntl'): void {
    if (!this.#borrowed && !this.#closed) this.#locks?.[kind](this.#fd, 'none')
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    if (this.#borrowed) return
    await this.#finished((done) => this.#calls.close(this.#fd, done))
  }
  #finished(start: (done: Done) => void): Promise<void> {
    return finished((done) => start((error) => done(error === null ? null : named(error, this.path))))
  }
}
