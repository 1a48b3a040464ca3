import { failedWith } from 'mailwright/api'
import {
  MailError, UNKNOWN, type Files, type FileStat, type MessageBytes, type OpenFile, type Row, type Rows, type StoredMessage, type TableEdit, type UidSet, type Wants,
} from 'mailwright/api'
import { headerEnd } from 'mailwright/toolkit'
import { depthOf } from './read-depth.js'
import { rowsOfSet } from './rows-of-set.js'
import { sizeOfFile, TextReader, withCrlf } from './text-file.js'
import { WholeBytes } from './whole-bytes.js'

/*
 * Folders with a file per message, named by its number.
 */

/** Files looked at, or read, side by side. */
const PARALLEL = 32
/** Messages up to this size are handed out whole. */
const INLINE = 1 << 16
/** Octets and messages of one batch. */
const BATCH = 1 << 20
const MANY = 200
/** Octets in which the end of a header is looked for first. */
const HEAD = 1 << 13

/** Whether a file of this name is a message: a number without leading zeros that a UID can be. */
export function numberOf(name: string): number | undefined {
  if (!/^[1-9]\d{0,9}$/.test(name)) return undefined
  const n = Number(name)
  return n <= 0xffffffff ? n : undefined
}
/** Numbers of the messages in a folder, ascending, and its other names. */
export async function listNumbers(files: Files, path: string): Promise<{ readonly numbers: readonly number[]; readonly others: readonly string[] }> {
  const numbers: number[] = []
  const others: string[] = []
  for (const { name, kind } of await files.list(path)) {
    const n = kind === 'file' || kind === 'symlink' ? numberOf(name) : undefined
    if (n === undefined) others.push(name)
    else numbers.push(n)
  }
  return { numbers: numbers.sort((a, b) => a - b), others }
}
/** The same without files that are empty: whoever made one has not written its message yet, or took it away. `empty`: their numbers. */
export async function statMessages(files: Files, path: string, numbers: readonly number[]): Promise<{ readonly stats: (readonly [number, FileStat])[]; readonly empty: readonly number[] }> {
  const all = await statNumbers(files, path, numbers)
  return { stats: all.filter(([, stat]) => stat.size > 0), empty: all.filter(([, stat]) => stat.size === 0).map(([number]) => number) }
}
/** What stat tells of messages, in their order; those that are gone or are no files are left out. */
export async function statNumbers(files: Files, path: string, numbers: readonly number[]): Promise<(readonly [number, FileStat])[]> {
  const out: (readonly [number, FileStat])[] = []
  for (let n = 0; n < numbers.length; n += PARALLEL) {
    const part = numbers.slice(n, n + PARALLEL)
    const stats = await Promise.all(part.map((number) => files.stat(`${path}/${number}`)))
    for (const [i, stat] of stats.entries()) if (stat?.kind === 'file') out.push([part[i] ?? 0, stat])
  }
  return out
}

/** How messages are kept: octet by octet, or as text with the line ends of this machine. */
export type Kept = 'octets' | 'text'
/** A folder to read messages from. */
export interface NumberedFolder {
  readonly files: Files
  readonly path: string
  readonly kept: Kept
  /** Whether what has the path is the mailbox whose rows are known; asked after each read, so that what was read is its. */
  readonly isIt?: () => Promise<boolean>
  /** The same of a message's file. */
  readonly isMessage?: (uid: number, file: OpenFile) => Promise<boolean>
}

/** Messages of the set in ascending batches; one whose file is gone, or shorter than its row says, is left out, all are where another mailbox has the path. */
export async function* readNumbered(folder: NumberedFolder, set: UidSet, wants: Wants, rows: Rows, signal: AbortSignal): AsyncGenerator<readonly StoredMessage[]> {
  const wanted: { uid: number; size: number }[] = []
  for (const row of rowsOfSet(rows, set)) wanted.push({ uid: rows.uid[row] ?? 0, size: rows.size[row] ?? 0 })
  const headOnly = depthOf(wants) !== 'whole'
  for (let first = 0; first < wanted.length; ) {
    signal.throwIfAborted()
    let next = first
    let octets = 0
    while (next < wanted.length && next - first < MANY && (next === first || octets < BATCH)) octets += Math.min(INLINE, wanted[next++]?.size ?? 0)
    const part = wanted.slice(first, next)
    const batch: StoredMessage[] = []
    for (let n = 0; n < part.length; n += PARALLEL) {
      const read = await Promise.all(part.slice(n, n + PARALLEL).map((m) => readOne(folder, m.uid, m.size, headOnly)))
      for (const m of read) if (m !== undefined) batch.push(m)
    }
    if (batch.length > 0 && (await folder.isIt?.()) === false) return
    if (batch.length > 0) yield batch
    first = next
  }
}
async function readOne(folder: NumberedFolder, uid: number, size: number, headOnly: boolean): Promise<StoredMessage | undefined> {
  const path = `${folder.path}/${uid}`
  let file: OpenFile
  try {
    file = await folder.files.open(path, { keepAccessTime: true })
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return undefined
    throw error
  }
  try {
    const unknown = size === UNKNOWN
    for (let room = headOnly ? HEAD : INLINE + 1; ; room *= 4) {
      const piece = Buffer.allocUnsafe(Math.max(1, Math.min(size, room)))
      const got = await file.read(piece, 0)
      if (got === 0 && size > 0 && !unknown) return undefined
      if ((await folder.isMessage?.(uid, file)) === false) return undefined
      const raw = piece.subarray(0, got)
      const head = folder.kept === 'text' ? withCrlf(raw) : raw
      const end = headerEnd(head)
      const whole = got < piece.length || head.length === size
      if (whole && (unknown || head.length === size)) return { uid, headerSize: end, bytes: new WholeBytes(head) }
      // It ends before the size that clients were told: to begin with it would break off their connection.
      if (!unknown && got < piece.length && head.length < size) return undefined
      // An empty line ends it when something follows, which the last octets that were read cannot tell.
      if (end === head.length && !whole) continue
      if (!unknown && !headOnly && folder.kept === 'octets' && (await file.stat()).size < size) return undefined
      return { uid, headerSize: end, bytes: new FileBytes(folder, path, uid, unknown ? await sizeOf(file, folder.kept) : size, head) }
    }
  } finally {
    await file.close()
  }
}

/** Octets as clients see them. */
async function sizeOf(file: OpenFile, kept: Kept): Promise<number> {
  return kept === 'text' ? (await sizeOfFile(file)).size : (await file.stat()).size
}
/** Sizes of messages that were not looked into yet; one that is gone has none. */
export async function fillSizes({ files, path, kept }: NumberedFolder, set: UidSet, edit: TableEdit, signal: AbortSignal): Promise<void> {
  const { rows } = edit
  const wanted: Row[] = []
  for (const row of rowsOfSet(rows, set)) if (rows.size[row] === UNKNOWN) wanted.push(row)
  for (let n = 0; n < wanted.length; n += PARALLEL) {
    signal.throwIfAborted()
    await Promise.all(
      wanted.slice(n, n + PARALLEL).map(async (row) => {
        try {
          const file = await files.open(`${path}/${rows.uid[row] ?? 0}`, { keepAccessTime: true })
          try {
            edit.setSize(row, await sizeOf(file, kept))
          } finally {
            await file.close()
          }
        } catch (error) {
          if (!failedWith(error, 'ENOENT', 'EACCES')) throw error
          edit.setSize(row, 0)
        }
      }),
    )
  }
}

/** A message read piece by piece; nothing is open in between. */
class FileBytes implements MessageBytes {
  readonly size: number
  readonly #folder: NumberedFolder
  readonly #path: string
  readonly #uid: number
  readonly #text = new TextReader()
  /** What it begins with. */
  readonly #head: Uint8Array
  constructor(folder: NumberedFolder, path: string, uid: number, size: number, head: Uint8Array) {
    this.#folder = folder
    this.#path = path
    this.#uid = uid
    this.#head = head
    this.size = size
  }
  async read(at: number, into: Uint8Array): Promise<number> {
    const known = this.#head.subarray(at, Math.min(at + into.length, this.size))
    if (known.length > 0) {
      into.set(known)
      return known.length
    }
    try {
      const file = await this.#folder.files.open(this.#path, { keepAccessTime: true })
      try {
        const part = into.subarray(0, Math.max(0, Math.min(into.length, this.size - at)))
        if (part.length === 0) return 0
        const got = this.#folder.kept === 'octets' ? await file.read(part, at) : await this.#text.read(file, at, part)
        if (got === 0) throw new MailError('vanished', `message ${this.#uid} is shorter than it was`)
        if ((await this.#folder.isIt?.()) === false || (await this.#folder.isMessage?.(this.#uid, file)) === false) throw new MailError('vanished', `message ${this.#uid} is gone`)
        return got
      } finally {
        await file.close()
      }
    } catch (error) {
      throw failedWith(error, 'ENOENT') ? new MailError('vanished', `message ${this.#uid} is gone`, { cause: error }) : error
    }
  }
}
