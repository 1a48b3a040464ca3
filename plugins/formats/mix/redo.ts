import { failedWith } from 'mailwright/api'
import type { Files, OpenFile } from 'mailwright/api'
import { crc32 } from 'node:zlib'
import { folderOf } from '../shared/locks/lock-context.js'
import { readSmall } from '../shared/small-read.js'
import { allDone } from './all-done.js'

/*
 * `.mixredo`: changes of the control files, durable before any of them is touched. Entries follow each other from the beginning of the file; those of
 * one chain bear the same number, so that what an older chain left behind them is not taken for more. A chain is given up once everything it speaks of is
 * on the disk; the file keeps its size, because overwriting costs the disk less than growing.
 *
 * entry = "MWX2" chain length-of-head length-of-body sum, then head (JSON) and body (octets of the patches, one after the other)
 */

export type Control = 'meta' | 'index' | 'status'
export const CONTROLS: readonly Control[] = ['meta', 'index', 'status']
/** Octets to be written. */
export interface Patch {
  readonly at: number
  readonly bytes: Uint8Array
}
/** What one control file becomes. */
export interface ControlChange {
  readonly file: Control
  readonly after: number
  /** Size afterwards. */
  readonly size: number
  readonly patches: readonly Patch[]
}
/** Octets of messages that an entry speaks of; they are on the disk only when this sum is right. */
export interface Extent {
  readonly file: number
  readonly at: number
  readonly length: number
  readonly sum: number
}
/** Sequences of the control files; any change raises one. */
export type Sequences = Readonly<Record<Control, number>>
export interface Entry {
  /** What was found, also of files that it does not change: whoever changes one of those meanwhile has changed the mailbox. */
  readonly found: Sequences
  readonly changes: readonly ControlChange[]
  readonly data: readonly Extent[]
}
interface Head {
  readonly s: readonly [meta: number, index: number, status: number]
  readonly c: readonly { readonly f: Control; readonly a: number; readonly s: number; readonly p: readonly (readonly [at: number, length: number])[] }[]
  readonly d: readonly (readonly [file: number, at: number, length: number, sum: number])[]
}

const MAGIC = 0x4d575832
export const ENTRY_HEAD = 20
/** The file grows by so much at least, and to twice its size, since syncing octets of a file that does not grow is cheaper. */
const STEP = 64 * 1024
/** A chain that gets longer is given up for a new one. */
const LONGEST_CHAIN = 1024 * 1024

function encode(chain: number, entry: Entry): Buffer {
  const { meta, index, status } = entry.found
  const head: Head = {
    s: [meta, index, status],
    c: entry.changes.map((c) => ({ f: c.file, a: c.after, s: c.size, p: c.patches.map((p) => [p.at, p.bytes.length] as const) })),
    d: entry.data.map((d) => [d.file, d.at, d.length, d.sum] as const),
  }
  const text = Buffer.from(JSON.stringify(head))
  const body = Buffer.concat([text, ...entry.changes.flatMap((c) => c.patches.map((p) => p.bytes))])
  const fixed = Buffer.alloc(ENTRY_HEAD)
  fixed.writeUInt32BE(MAGIC, 0)
  fixed.writeUInt32BE(chain, 4)
  fixed.writeUInt32BE(text.length, 8)
  fixed.writeUInt32BE(body.length - text.length, 12)
  fixed.writeUInt32BE(crc32(body, chain), 16)
  return Buffer.concat([fixed, body])
}
/** Chain of the entry that begins here, by its first octets. */
function chainAt(head: Uint8Array): number | undefined {
  if (head.length < ENTRY_HEAD) return undefined
  const b = Buffer.from(head.buffer, head.byteOffset, head.length)
  return b.readUInt32BE(0) === MAGIC ? b.readUInt32BE(4) : undefined
}
async function headAt(file: OpenFile, at: number): Promise<Uint8Array> {
  const head = new Uint8Array(ENTRY_HEAD)
  return head.subarray(0, await readSmall(file, head, at))
}
function decode(bytes: Buffer, at: number, chain: number): { readonly entry: Entry; readonly end: number } | undefined {
  if (chainAt(bytes.subarray(at, at + ENTRY_HEAD)) !== chain) return undefined
  const headLength = bytes.readUInt32BE(at + 8)
  const end = at + ENTRY_HEAD + headLength + bytes.readUInt32BE(at + 12)
  if (end > bytes.length || crc32(bytes.subarray(at + ENTRY_HEAD, end), chain) !== bytes.readUInt32BE(at + 16)) return undefined
  // Written by `encode`, as the sum shows.
  const head = JSON.parse(bytes.toString('utf8', at + ENTRY_HEAD, at + ENTRY_HEAD + headLength)) as Head
  let place = at + ENTRY_HEAD + headLength
  const changes = head.c.map((c) => ({
    file: c.f, after: c.a, size: c.s,
    patches: c.p.map(([to, length]) => ({ at: to, bytes: bytes.subarray(place, (place += length)) })),
  }))
  const [meta, index, status] = head.s
  return { entry: { found: { meta, index, status }, changes, data: head.d.map(([file, pos, length, sum]) => ({ file, at: pos, length, sum })) }, end }
}

/** The redo file of one mailbox, as this process knows it. Each write is one call that ends on the disk, where changes are to be there. */
export class Redo {
  readonly #files: Files
  readonly #path: string
  readonly #lot: () => number
  #file: OpenFile | undefined
  #writable = false
  #preparing: Promise<unknown> | undefined
  /** The chain that this process began, and where it ends. */
  #chain: number | undefined
  #end = 0
  /** Of the file, once it matters. */
  #size: number | undefined
  /** Its name is on the disk. */
  #named = false
  readonly #durable: boolean
  constructor(files: Files, path: string, durable: boolean, lot: () => number) {
    this.#files = files
    this.#path = path
    this.#durable = durable
    this.#lot = lot
  }
  /** Whether there is nothing in it that this process has not applied itself. */
  async isKnown(): Promise<boolean> {
    const file = await this.#opened('look')
    if (file === undefined) return true
    const [first, next] = await Promise.all([headAt(file, 0), this.#chain === undefined ? undefined : headAt(file, this.#end)])
    const chain = chainAt(first)
    return chain === this.#chain && (chain === undefined || next === undefined || chainAt(next) !== chain)
  }
  /** Every entry of the chain that the file begins with. */
  async entries(): Promise<readonly Entry[]> {
    const file = await this.#opened('look')
    if (file === undefined) return []
    const bytes = Buffer.alloc((await file.stat()).size)
    await file.read(bytes, 0)
    const chain = chainAt(bytes.subarray(0, ENTRY_HEAD))
    const out: Entry[] = []
    if (chain === undefined) return out
    for (let found = decode(bytes, 0, chain); found !== undefined; found = decode(bytes, found.end, chain)) out.push(found.entry)
    return out
  }
  /** Something is in it, so the control files may not be on the disk. */
  get holds(): boolean {
    return this.#chain !== undefined
  }
  get isLong(): boolean {
    return this.#end >= LONGEST_CHAIN
  }
  /**
   * Opens the file for an entry that is to come: to make a name waits for a sync of another file that is under way. What keeps it from being made `add` tells. Resolves
   * when nothing is under way.
   */
  async prepare(mode: number): Promise<void> {
    if (this.#file !== undefined && this.#writable) return
    this.#preparing = this.#made(mode)
    await this.#preparing.catch(() => undefined)
    this.#preparing = undefined
  }
  async #made(mode: number): Promise<OpenFile> {
    // `make` always answers a file.
    return (await this.#opened('write')) ?? ((await this.#opened('make', mode)) as OpenFile)
  }
  /**
   * Writes an entry behind the others; when this resolves it counts, and is on the disk where changes are to be. Answers what takes it back.
   *
   * @param how `newNames`: a file was made that the entry speaks of
   */
  async add(entry: Entry, how: { readonly mode: number; readonly newNames: boolean }): Promise<() => Promise<void>> {
    if (this.#preparing !== undefined) await this.#preparing.catch(() => undefined)
    // At once where it is open, which leaves the disk more time.
    const file = (this.#writable ? this.#file : undefined) ?? (await this.#made(how.mode))
    this.#size ??= (await file.stat()).size
    const chain = this.#chain ?? this.#lot()
    const at = this.#chain === undefined ? 0 : this.#end
    const bytes = encode(chain, entry)
    const undo = async (): Promise<void> => {
      // Not known what is there now: the next operation looks.
      this.forget()
      await file.write([new Uint8Array(ENTRY_HEAD)], at)
    }
    const end = at + bytes.length
    const room = end > this.#size ? STEP * Math.ceil(Math.max(end, Math.min(2 * this.#size, LONGEST_CHAIN)) / STEP) - end : 0
    try {
      // Also the name of a file that was there: whoever made it may have ended before it was synced.
      const names = this.#durable && (how.newNames || !this.#named) ? [this.#files.syncDirectory(folderOf(this.#path))] : []
      await allDone([file.write(room > 0 ? [bytes, new Uint8Array(room)] : [bytes], at), ...names])
      this.#named = true
    } catch (error) {
      await undo().catch(() => undefined)
      throw error
    }
    this.#size = Math.max(this.#size, end + room)
    this.#chain = chain
    this.#end = end
    return undo
  }
  /** Gives the chain up: what it says is on the disk. */
  async clear(): Promise<void> {
    const file = await this.#opened('write')
    this.#chain = undefined
    this.#end = 0
    if (file === undefined) return
    await file.write([new Uint8Array(ENTRY_HEAD)], 0)
    this.#size ??= (await file.stat()).size
    if (this.#size <= 2 * LONGEST_CHAIN) return
    await file.truncate(ENTRY_HEAD)
    this.#size = ENTRY_HEAD
  }
  /** After a failure nothing is known of it any more. */
  forget(): void {
    this.#chain = undefined
    this.#end = 0
  }
  /** Undefined when it is missing and not to be made. Who may not write can look whether something waits there. */
  async #opened(how: 'look' | 'write' | 'make', mode = 0o600): Promise<OpenFile | undefined> {
    if (this.#file !== undefined && (how === 'look' || this.#writable)) return this.#file
    await this.#file?.close()
    this.#file = undefined
    this.#writable = true
    try {
      this.#file = await this.#files.open(this.#path, { write: true, syncWrites: this.#durable, ...(how === 'make' && { create: 'if-missing', mode }) })
    } catch (error) {
      if (how !== 'make' && failedWith(error, 'ENOENT')) return undefined
      if (how !== 'look' || !failedWith(error, 'EACCES', 'EPERM', 'EROFS')) throw error
      this.#file = await this.#files.open(this.#path)
      this.#writable = false
    }
    return this.#file
  }
  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    this.#size = undefined
    this.#named = false
    this.forget()
    await file?.close()
  }
}
