import type { Files, OpenFile } from 'mailwright/api'
import { crc32 } from 'node:zlib'
import { failedWith, folderOf, nameOf } from '../shared/lock-context.js'

/*
 * A mailbox file is rewritten in place, since other programs hold it open and lock it by inode. So that a crash in the
 * middle loses nothing, everything that will be written is first put into a redo file, which is on the disk before the
 * first octet of the mailbox changes, and is deleted after the last. Whoever opens the mailbox next finishes the work.
 *
 * Layout: the new octets one segment after the other, what is needed to judge the mailbox at recovery, a trailer, a
 * footer. A redo file without a whole footer was never used: the mailbox is as it was.
 */

/** Part of the mailbox that gets new octets. */
export interface Segment {
  readonly offset: number
  readonly length: number
}
interface Trailer {
  readonly device: number
  readonly inode: number
  readonly oldSize: number
  readonly newSize: number
  readonly segments: readonly Segment[]
  /** Old content: all of it for small changes, otherwise a check sum for each piece. */
  readonly evidence: 'octets' | 'sums'
  readonly payload: number
}

const MAGIC = 'MWREDO01'
/** Length of the trailer, check sum of evidence and trailer, magic. */
const FOOTER = 4 + 4 + MAGIC.length
const CHUNK = 1 << 20
/** The disk writes pages; check sums are taken of as much. */
const PIECE = 4096
/** Changes up to this size keep the old octets themselves. */
const KEEP_OLD = 1 << 16

/** Where the redo file of a mailbox lies: beside it where that folder takes files, otherwise in a folder of the user's. */
export interface RedoPlaces {
  readonly beside: string
  readonly fallback: string
}
export const REDO_SUFFIX = '.mailwright-redo'
export function redoPlaces(mailbox: string, stateDirectory: string, file: { readonly device: number; readonly inode: number }): RedoPlaces {
  return {
    beside: `${folderOf(mailbox)}/.${nameOf(mailbox)}${REDO_SUFFIX}`,
    fallback: `${stateDirectory}/redo-${file.device.toString(16)}-${file.inode.toString(16)}${REDO_SUFFIX}`,
  }
}

/** Octets of the mailbox in pieces, so that both writer and recovery cut them alike. */
function* pieces(from: number, to: number): Generator<readonly [number, number]> {
  for (let at = from; at < to; ) {
    const end = Math.min(to, at - (at % PIECE) + PIECE)
    yield [at, end]
    at = end
  }
}
/** Old content that recovery looks at: what is overwritten, and what is cut off. */
function judged(t: Pick<Trailer, 'oldSize' | 'newSize' | 'segments'>): readonly Segment[] {
  const out: Segment[] = []
  for (const s of t.segments) {
    const length = Math.min(s.offset + s.length, t.oldSize) - s.offset
    if (length > 0) out.push({ offset: s.offset, length })
  }
  if (t.newSize < t.oldSize) out.push({ offset: t.newSize, length: t.oldSize - t.newSize })
  return out
}

/** Collects new content front to back; parts that stay where they are cost nothing. */
export class RedoWriter {
  /** Where the next octet goes in the mailbox. */
  at: number
  readonly #file: OpenFile
  readonly #mailbox: OpenFile
  readonly #segments: { offset: number; length: number }[] = []
  readonly #buffer = Buffer.allocUnsafe(CHUNK)
  #filled = 0
  #written = 0

  constructor(file: OpenFile, mailbox: OpenFile, start: number) {
    this.#file = file
    this.#mailbox = mailbox
    this.at = start
  }
  get changed(): boolean {
    return this.#segments.length > 0
  }
  get payload(): number {
    return this.#written + this.#filled
  }
  /** The octets up to here stay as they are. */
  stay(to: number): void {
    this.at = to
  }
  async bytes(part: Uint8Array): Promise<void> {
    if (part.length === 0) return
    const last = this.#segments[this.#segments.length - 1]
    if (last !== undefined && last.offset + last.length === this.at) last.length += part.length
    else this.#segments.push({ offset: this.at, length: part.length })
    this.at += part.length
    let from = 0
    while (from < part.length) {
      const n = Math.min(part.length - from, CHUNK - this.#filled)
      this.#buffer.set(part.subarray(from, from + n), this.#filled)
      this.#filled += n
      from += n
      if (this.#filled === CHUNK) await this.#flush()
    }
  }
  async #flush(): Promise<void> {
    if (this.#filled === 0) return
    await this.#file.write([this.#buffer.subarray(0, this.#filled)], this.#written)
    this.#written += this.#filled
    this.#filled = 0
  }
  /** Closes the content; the redo file says everything, but is not yet on the disk. */
  async finish(mailbox: { readonly device: number; readonly inode: number; readonly size: number }): Promise<Trailer> {
    await this.#flush()
    const shape = { oldSize: mailbox.size, newSize: this.at, segments: this.#segments }
    const old = judged(shape)
    const total = old.reduce((sum, s) => sum + s.length, 0)
    const evidence = total <= KEEP_OLD ? 'octets' : 'sums'
    const parts: Uint8Array[] = []
    for (const s of old) parts.push(evidence === 'octets' ? await octetsAt(this.#mailbox, s.offset, s.length) : await sumsAt(this.#mailbox, s))
    const trailer: Trailer = { device: mailbox.device, inode: mailbox.inode, ...shape, evidence, payload: this.#written }
    const tail = Buffer.concat([...parts, Buffer.from(JSON.stringify(trailer))])
    const footer = Buffer.alloc(FOOTER)
    footer.writeUInt32LE(Buffer.byteLength(JSON.stringify(trailer)), 0)
    footer.writeUInt32LE(crc32(tail), 4)
    footer.write(MAGIC, 8, 'latin1')
    await this.#file.write([tail, footer], this.#written)
    return trailer
  }
}

async function octetsAt(file: OpenFile, offset: number, length: number): Promise<Buffer> {
  const into = Buffer.alloc(length)
  await file.read(into, offset)
  return into
}
async function sumsAt(file: OpenFile, s: Segment): Promise<Buffer> {
  const sums: number[] = []
  const buffer = Buffer.allocUnsafe(CHUNK)
  let base = s.offset
  let have = 0
  for (const [from, to] of pieces(s.offset, s.offset + s.length)) {
    if (to > base + have) {
      base = from
      have = await file.read(buffer.subarray(0, Math.min(CHUNK, s.offset + s.length - from)), from)
    }
    sums.push(crc32(buffer.subarray(from - base, to - base)))
  }
  const out = Buffer.allocUnsafe(4 * sums.length)
  for (const [i, sum] of sums.entries()) out.writeUInt32LE(sum, 4 * i)
  return out
}

/** Writes the new content over the old. Space for growth is taken first, so that a full disk is noticed while nothing is changed. */
export async function applyRedo(redo: OpenFile, mailbox: OpenFile, trailer: Trailer, durable: boolean): Promise<void> {
  const { oldSize, newSize } = trailer
  if (newSize > oldSize) {
    try {
      const zeros = Buffer.alloc(Math.min(CHUNK, newSize - oldSize))
      for (let at = oldSize; at < newSize; at += zeros.length) await mailbox.write([zeros.subarray(0, Math.min(zeros.length, newSize - at))], at)
      if (durable) await mailbox.sync()
    } catch (error) {
      await mailbox.truncate(oldSize)
      throw error
    }
  }
  await writeSegments(redo, mailbox, trailer)
  if (newSize < oldSize) await mailbox.truncate(newSize)
  if (durable) await mailbox.sync()
}
async function writeSegments(redo: OpenFile, mailbox: OpenFile, trailer: Trailer): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK, Math.max(1, trailer.payload)))
  let from = 0
  for (const s of trailer.segments) {
    for (let done = 0; done < s.length; ) {
      const n = Math.min(buffer.length, s.length - done)
      const got = await redo.read(buffer.subarray(0, n), from + done)
      if (got < n) throw new Error(`${redo.path} ended early`)
      await mailbox.write([buffer.subarray(0, n)], s.offset + done)
      done += n
    }
    from += s.length
  }
}

/** Opens a new redo file, beside the mailbox or, where that folder takes none, in the fallback's folder. */
export async function createRedo(files: Files, places: RedoPlaces): Promise<OpenFile> {
  try {
    return await freshFile(files, places.beside)
  } catch (error) {
    if (!failedWith(error, 'EACCES', 'EPERM', 'EROFS')) throw error
  }
  await makeFolders(files, folderOf(places.fallback))
  return freshFile(files, places.fallback)
}
async function freshFile(files: Files, path: string): Promise<OpenFile> {
  try {
    return await files.open(path, { write: true, create: 'new', noFollow: true, mode: 0o600 })
  } catch (error) {
    if (!failedWith(error, 'EEXIST')) throw error
    // Recovery has looked at what was there; what is left is of no use.
    await files.unlink(path)
    return files.open(path, { write: true, create: 'new', noFollow: true, mode: 0o600 })
  }
}
/** Makes a folder and those above it. */
export async function makeFolders(files: Files, path: string): Promise<void> {
  if ((await files.stat(path)) !== undefined) return
  await makeFolders(files, folderOf(path))
  try {
    await files.makeDirectory(path, 0o700)
  } catch (error) {
    if (!failedWith(error, 'EEXIST')) throw error
  }
}

/** `none`: nothing to do; `redone`: an interrupted rewrite was finished; `refused`: the mailbox was changed by others since, see the path. */
export type Recovery = { readonly kind: 'none' | 'redone' } | { readonly kind: 'refused'; readonly path: string }

/** Looks for an interrupted rewrite. The caller holds all locks; `mailbox` is open for writing. */
export async function recover(files: Files, places: RedoPlaces, mailbox: OpenFile, durable: boolean): Promise<Recovery> {
  for (const path of [places.beside, places.fallback]) {
    if ((await files.lstat(path))?.kind !== 'file') continue
    const redo = await files.open(path, { write: true, noFollow: true })
    try {
      const found = await readRedo(redo)
      const verdict = found === undefined ? 'unused' : await judge(found, redo, mailbox)
      if (found !== undefined && verdict === 'finish') {
        const stat = await mailbox.stat()
        const tail = await foreignTail(found.trailer, redo, mailbox, stat.size)
        await applyRedo(redo, mailbox, found.trailer, false)
        // What others appended to the half-written file follows the new content.
        await mailbox.truncate(found.trailer.newSize)
        if (tail.length > 0) await mailbox.write([tail], found.trailer.newSize)
        if (durable) await mailbox.sync()
      }
      if (verdict === 'foreign') {
        const aside = `${path}.${(await redo.stat()).inode.toString(16)}.lost`
        await files.rename(path, aside)
        return { kind: 'refused', path: aside }
      }
      await files.unlink(path)
      return { kind: verdict === 'finish' ? 'redone' : 'none' }
    } finally {
      await redo.close()
    }
  }
  return { kind: 'none' }
}

interface FoundRedo {
  readonly trailer: Trailer
  readonly evidence: Buffer
}
async function readRedo(redo: OpenFile): Promise<FoundRedo | undefined> {
  const { size } = await redo.stat()
  if (size < FOOTER) return undefined
  const footer = await octetsAt(redo, size - FOOTER, FOOTER)
  if (footer.toString('latin1', 8) !== MAGIC) return undefined
  const length = footer.readUInt32LE(0)
  // The evidence stands before the trailer; its length follows from the trailer, which the sum then proves.
  if (length > size - FOOTER) return undefined
  const text = await octetsAt(redo, size - FOOTER - length, length)
  let trailer: Trailer
  try {
    trailer = JSON.parse(text.toString()) as Trailer
  } catch {
    return undefined
  }
  const evidence = await octetsAt(redo, trailer.payload, size - FOOTER - length - trailer.payload)
  return crc32(Buffer.concat([evidence, text])) === footer.readUInt32LE(4) ? { trailer, evidence } : undefined
}

/** Pieces that are neither old nor new and may be torn writes, where only check sums tell. */
const TORN = 2

/**
 * `finish`: the mailbox is as it was or half written. `unused`: it is not this mailbox any more, or the work is done.
 * `foreign`: others have written where we would.
 */
async function judge(found: FoundRedo, redo: OpenFile, mailbox: OpenFile): Promise<'finish' | 'unused' | 'foreign'> {
  const { trailer, evidence } = found
  const stat = await mailbox.stat()
  if (stat.device !== trailer.device || stat.inode !== trailer.inode) return 'unused'
  let at = 0
  let asNew = 0
  let neither = 0
  let total = 0
  let cutAsOld = true
  for (const s of judged(trailer)) {
    for (const [from, to] of pieces(s.offset, s.offset + s.length)) {
      const now = await octetsAt(mailbox, from, Math.max(0, Math.min(to, stat.size) - from))
      const fresh = await freshOctets(trailer, redo, from, to)
      const old = trailer.evidence === 'octets' ? evidence.subarray(at, at + to - from) : evidence.readUInt32LE(at)
      at += trailer.evidence === 'octets' ? to - from : 4
      const isOld = now.length === to - from && (typeof old === 'number' ? crc32(now) === old : now.equals(old))
      if (fresh === undefined) {
        // What is cut off is never written, so it is whole until it is gone.
        cutAsOld &&= isOld
        continue
      }
      total++
      if (now.equals(fresh)) asNew++
      else if (!isOld && !(typeof old !== 'number' && mixed(now, old, fresh))) neither++
    }
  }
  if (cutAsOld && neither <= (trailer.evidence === 'octets' ? 0 : TORN)) return 'finish'
  // The end is cut off and all else is new: the work was done, and others went on.
  return asNew === total ? 'unused' : 'foreign'
}
function mixed(now: Uint8Array, old: Uint8Array, fresh: Uint8Array): boolean {
  return now.length === old.length && now.every((octet, i) => octet === old[i] || octet === fresh[i])
}
/** New content of a part of the mailbox; undefined when none of it is written. */
async function freshOctets(t: Trailer, redo: OpenFile, from: number, to: number): Promise<Buffer | undefined> {
  let payload = 0
  for (const s of t.segments) {
    if (from >= s.offset && to <= s.offset + s.length) return octetsAt(redo, payload + from - s.offset, to - from)
    payload += s.length
  }
  return undefined
}
/** What other programs appended after the crash. */
async function foreignTail(t: Trailer, redo: OpenFile, mailbox: OpenFile, size: number): Promise<Buffer> {
  const reached = Math.max(t.oldSize, t.newSize)
  if (size <= t.oldSize) return Buffer.alloc(0)
  // Room taken for growth is filled with NUL and then with the new content; anything else came from others.
  const room = await octetsAt(mailbox, t.oldSize, Math.min(size, reached) - t.oldSize)
  const fresh = room.length === 0 ? undefined : await freshOctets(t, redo, t.oldSize, t.oldSize + room.length)
  let at = room.findIndex((octet, i) => octet !== 0 && octet !== fresh?.[i])
  if (at < 0) return octetsAt(mailbox, reached, Math.max(0, size - reached))
  // Their first octets may look like ours by chance: the tail begins after the last NUL.
  while (at > 0 && room[at - 1] !== 0) at--
  return octetsAt(mailbox, t.oldSize + at, size - t.oldSize - at)
}
