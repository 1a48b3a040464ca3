import type { FilePlace, Files, FileStat, OpenFile } from 'mailwright/api'
import { crc32 } from 'node:zlib'
import { failedWith, folderOf, nameOf } from './lock-context.js'

/*
 * A mailbox file is rewritten in place, since other programs hold it open and lock it by inode. So that a crash in the
 * middle loses nothing, everything that will be written is first put into a redo file, which is on the disk before the
 * first octet of the mailbox changes, and is crossed out after the last. Whoever opens the mailbox next finishes the work.
 * That the redo file is crossed out need not be durable: one that comes back after a power failure is judged against the
 * mailbox, and finishing finished work changes nothing.
 *
 * Appended messages go the same way: a part of a message is none.
 *
 * Layout: a head of fixed length, the new octets one segment after the other, what is needed to judge the mailbox at
 * recovery, a trailer, room. A redo file whose check sums do not hold was never used: the mailbox is as it was. What was
 * crossed out keeps its blocks: to write over octets that the disk has costs a sync of the disk alone, to make a file
 * grow costs the file system's own books as well, ten times as much.
 */

/** Part of the mailbox that gets new octets. */
export interface Segment {
  readonly offset: number
  readonly length: number
}
/** `append` adds messages at the end, and changes nothing before it but the digits of the last number. */
export type ChangeKind = 'rewrite' | 'append'
interface Trailer {
  readonly kind: ChangeKind
  readonly device: number
  readonly inode: number
  readonly oldSize: number
  readonly newSize: number
  readonly segments: readonly Segment[]
  /** Old content: all of it for small changes, otherwise a check sum for each piece. */
  readonly evidence: 'octets' | 'sums'
  readonly payload: number
  /** Check sum of the payload: a crash before the redo file was synced may keep its end and lose its beginning. */
  readonly sum: number
}

const MAGIC = 'MWREDO03'
/** Magic, length of the payload, of the evidence, of the trailer, check sum of both, check sum of the head so far. */
export const HEAD = MAGIC.length + 8 + 4 + 4 + 4 + 4
const CROSSED_OUT = Buffer.alloc(MAGIC.length)
/** A redo file that stays grows in such steps, and keeps at most so much. */
const ROOM = 1 << 14
const MOST_ROOM = 1 << 20
const CHUNK = 1 << 20
/** The disk writes pages; check sums are taken of as much. */
const PIECE = 4096
/** Changes up to this size keep the old octets themselves. */
const KEEP_OLD = 1 << 16

export const REDO_SUFFIX = '.mailwright-redo'
/** Where the redo file of a mailbox lies, and where it may lie as well. */
export interface RedoPlaces {
  readonly first: string
  readonly second: string
}
/**
 * For a user's own mailboxes it lies in the user's state directory, and stays there for the next time. For others it
 * lies beside the mailbox, where every server process that may change the mailbox finds it, for the time of the change.
 */
export function redoPlaces(place: FilePlace, stateDirectory: string, file: { readonly device: number; readonly inode: number }): RedoPlaces {
  const { path, user } = place
  const state = `${stateDirectory}/redo/${file.device.toString(16)}-${file.inode.toString(16)}${REDO_SUFFIX}`
  const beside = `${folderOf(path)}/.${nameOf(path)}${REDO_SUFFIX}`
  const own = (user.home !== undefined && path.startsWith(`${user.home}/`)) || nameOf(path) === user.name
  return own ? { first: state, second: beside } : { first: beside, second: state }
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
  readonly #redo: OpenFile
  readonly #mailbox: OpenFile
  readonly #segments: { offset: number; length: number }[] = []
  #buffer = Buffer.allocUnsafe(FIRST)
  #filled = 0
  #written = 0
  #sum = 0
  readonly #known = new Map<number, Uint8Array>()
  readonly #room: number | undefined

  /** `room`: what a redo file that stays has already. */
  constructor(redo: OpenFile, mailbox: OpenFile, start: number, room: number | undefined) {
    this.#redo = redo
    this.#room = room
    this.#mailbox = mailbox
    this.at = start
  }
  get changed(): boolean {
    return this.#segments.length > 0
  }
  /** The octets up to here stay as they are. */
  stay(to: number): void {
    this.at = to
  }
  /** `old`: what stands there now, where that is known; the whole part is then a segment of its own. */
  async bytes(part: Uint8Array, old?: Uint8Array): Promise<void> {
    if (part.length === 0) return
    const last = this.#segments[this.#segments.length - 1]
    const joins = last !== undefined && last.offset + last.length === this.at && old === undefined && !this.#known.has(last.offset)
    if (old !== undefined) this.#known.set(this.at, old)
    if (joins) last.length += part.length
    else this.#segments.push({ offset: this.at, length: part.length })
    this.at += part.length
    let from = 0
    while (from < part.length) {
      if (this.#filled === this.#buffer.length) await this.#more(part.length - from)
      const n = Math.min(part.length - from, this.#buffer.length - this.#filled)
      this.#buffer.set(n === part.length ? part : part.subarray(from, from + n), this.#filled)
      this.#filled += n
      from += n
    }
  }
  async #more(wanted: number): Promise<void> {
    if (this.#buffer.length < CHUNK) {
      const wider = Buffer.allocUnsafe(Math.min(CHUNK, Math.max(4 * this.#buffer.length, this.#filled + wanted)))
      this.#buffer.copy(wider, 0, 0, this.#filled)
      this.#buffer = wider
      return
    }
    await this.#redo.write([this.#buffer], HEAD + this.#written)
    this.#sum = crc32(this.#buffer, this.#sum)
    this.#written += this.#filled
    this.#filled = 0
  }
  /** Closes the content; the redo file says everything, but is not yet on the disk. */
  async finish(kind: ChangeKind, mailbox: { readonly device: number; readonly inode: number; readonly size: number }): Promise<Staged> {
    const inMemory = this.#written === 0
    const { device, inode } = mailbox
    const shape = { oldSize: mailbox.size, newSize: this.at, segments: this.#segments }
    const old = judged(shape)
    const total = old.reduce((sum, s) => sum + s.length, 0)
    const evidence = total <= KEEP_OLD ? 'octets' : 'sums'
    const parts: Uint8Array[] = []
    for (const s of old) parts.push(evidence === 'octets' ? (this.#known.get(s.offset) ?? (await octetsAt(this.#mailbox, s.offset, s.length))) : await sumsAt(this.#mailbox, s))
    const payload = this.#buffer.subarray(0, this.#filled)
    const trailer: Trailer = { kind, device, inode, ...shape, evidence, payload: this.#written + this.#filled, sum: crc32(payload, this.#sum) }
    const text = Buffer.from(JSON.stringify(trailer))
    const tail = Buffer.concat([...parts, text])
    const end = HEAD + trailer.payload + tail.length
    const missing = this.#room !== undefined && end > this.#room && end < MOST_ROOM ? (ROOM - (end % ROOM)) % ROOM : 0
    const head = headOf({ payload: trailer.payload, evidence: tail.length - text.length, trailer: text.length, sum: crc32(tail) })
    const rest = [payload, tail, Buffer.alloc(missing)]
    if (inMemory) await this.#redo.write([head, ...rest], 0)
    else {
      await this.#redo.write(rest, HEAD + this.#written)
      await this.#redo.write([head], 0)
    }
    return { trailer, payload: inMemory ? payload : undefined, old: evidence === 'octets' ? parts : [] }
  }
}
interface Head {
  readonly payload: number
  readonly evidence: number
  readonly trailer: number
  /** Of evidence and trailer. */
  readonly sum: number
}
function headOf(h: Head): Buffer {
  const out = Buffer.alloc(HEAD)
  out.write(MAGIC, 'latin1')
  let at = out.writeDoubleLE(h.payload, MAGIC.length)
  at = out.writeUInt32LE(h.evidence, at)
  at = out.writeUInt32LE(h.trailer, at)
  at = out.writeUInt32LE(h.sum, at)
  out.writeUInt32LE(crc32(out.subarray(0, at)), at)
  return out
}
/** Undefined when the file says nothing, or does not say it whole. */
async function readHead(redo: OpenFile): Promise<Head | undefined> {
  const head = await octetsAt(redo, 0, HEAD)
  if (head.toString('latin1', 0, MAGIC.length) !== MAGIC || crc32(head.subarray(0, HEAD - 4)) !== head.readUInt32LE(HEAD - 4)) return undefined
  const at = MAGIC.length
  return { payload: head.readDoubleLE(at), evidence: head.readUInt32LE(at + 8), trailer: head.readUInt32LE(at + 12), sum: head.readUInt32LE(at + 16) }
}

/** A redo file that is complete, with its payload where that is in memory, and the old octets of small changes, by segment. */
export interface Staged {
  readonly trailer: Trailer
  readonly payload: Buffer | undefined
  readonly old: readonly Uint8Array[]
}
/** Most changes are small. */
const FIRST = 1 << 13

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

/**
 * Writes the new content over the old. Space for growth is taken first, so that a full disk is noticed while nothing
 * that was there is changed; what an append wrote is taken back when it fails.
 */
export async function applyRedo(redo: OpenFile, mailbox: OpenFile, staged: Staged, durable: boolean): Promise<void> {
  const { oldSize, newSize, kind, segments } = staged.trailer
  try {
    if (kind === 'append') {
      await writeSegments(redo, mailbox, staged, (s) => s.offset >= oldSize)
      await writeSegments(redo, mailbox, staged, (s) => s.offset < oldSize)
      if (durable) await mailbox.sync()
      return
    }
    if (newSize > oldSize) await takeRoom(mailbox, oldSize, newSize, durable)
  } catch (error) {
    await mailbox.truncate(oldSize)
    if (kind === 'append') for (const [i, octets] of staged.old.entries()) await mailbox.write([octets], segments[i]?.offset ?? 0)
    if (durable) await mailbox.sync()
    throw error
  }
  await writeSegments(redo, mailbox, staged, () => true)
  if (newSize < oldSize) await mailbox.truncate(newSize)
  if (durable) await mailbox.sync()
}
async function takeRoom(mailbox: OpenFile, from: number, to: number, durable: boolean): Promise<void> {
  const zeros = Buffer.alloc(Math.min(CHUNK, to - from))
  for (let at = from; at < to; at += zeros.length) await mailbox.write([zeros.subarray(0, Math.min(zeros.length, to - at))], at)
  // The disk may refuse only when it is really written.
  if (durable) await mailbox.sync()
}
/** Small writes under way at the same time. */
const PARALLEL = 16

async function writeSegments(redo: OpenFile, mailbox: OpenFile, { trailer, payload }: Staged, which: (s: Segment) => boolean): Promise<void> {
  let from = 0
  let writing: Promise<void>[] = []
  for (const s of trailer.segments) {
    const start = from
    from += s.length
    if (!which(s)) continue
    if (payload === undefined) await copySegment(redo, mailbox, start, s)
    else writing.push(mailbox.write([payload.subarray(start, from)], s.offset))
    if (writing.length === PARALLEL) {
      await allOf(writing)
      writing = []
    }
  }
  await allOf(writing)
}
/** Nothing is under way any more when it resolves or throws. */
export async function allOf(writing: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(writing)) if (outcome.status === 'rejected') throw outcome.reason
}
async function copySegment(redo: OpenFile, mailbox: OpenFile, from: number, s: Segment): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK, s.length))
  for (let done = 0; done < s.length; ) {
    const n = Math.min(buffer.length, s.length - done)
    if ((await redo.read(buffer.subarray(0, n), HEAD + from + done)) < n) throw new Error(`${redo.path} ended early`)
    await mailbox.write([buffer.subarray(0, n)], s.offset + done)
    done += n
  }
}

/** A redo file ready to be written. */
export interface OpenRedo {
  readonly file: OpenFile
  /** Its name is new and not yet durable. */
  readonly fresh: boolean
  /** What it has, where it stays; undefined for one that goes again. */
  readonly room: number | undefined
}
/** Opens the redo file at its first place or, where that folder takes none, at its second. */
export async function openRedo(files: Files, places: RedoPlaces, stateDirectory: string): Promise<OpenRedo> {
  try {
    return await openAt(files, places.first, stateDirectory)
  } catch (error) {
    if (!failedWith(error, 'EACCES', 'EPERM', 'EROFS')) throw error
  }
  return openAt(files, places.second, stateDirectory)
}
async function openAt(files: Files, path: string, stateDirectory: string): Promise<OpenRedo> {
  const stays = path.startsWith(`${stateDirectory}/`)
  try {
    // Recovery has looked at what was there; what is left is of no use.
    const file = await files.open(path, { write: true, noFollow: true })
    return { file, fresh: false, room: stays ? (await file.stat()).size : undefined }
  } catch (error) {
    if (!failedWith(error, 'ENOENT', 'ENOTDIR')) throw error
  }
  if (stays) await makeFolders(files, folderOf(path))
  return { file: await files.open(path, { write: true, create: 'if-missing', noFollow: true, mode: 0o600 }), fresh: true, room: stays ? 0 : undefined }
}
/**
 * The change is complete, or was not begun. A redo file that stays gets a time drawn by lot, so that other processes of
 * the server see that there was a change.
 */
export async function clearRedo(files: Files, redo: OpenFile, stateDirectory: string, mark: number): Promise<void> {
  if (!redo.path.startsWith(`${stateDirectory}/`)) return files.unlink(redo.path)
  await redo.write([CROSSED_OUT], 0)
  if ((await redo.stat()).size > MOST_ROOM) await redo.truncate(ROOM)
  // Whole milliseconds are read back as they are written.
  await redo.setTimes(mark, mark)
}
/** Whether a change was interrupted, and what tells the last change of this server from others. */
export async function lookAtRedo(files: Files, places: RedoPlaces): Promise<{ readonly interrupted: boolean; readonly mark: number }> {
  const [first, second] = await Promise.all([files.lstat(places.first), files.lstat(places.second)])
  const interrupted = (first !== undefined && (await saysSomething(files, places.first, first))) || (second !== undefined && (await saysSomething(files, places.second, second)))
  return { interrupted, mark: Math.round(first?.mtimeMs ?? 0) }
}
/** Whether it is not crossed out; recovery finds out how much it is worth. */
async function saysSomething(files: Files, path: string, { kind, size }: FileStat): Promise<boolean> {
  if (kind !== 'file' || size === 0) return false
  let redo: OpenFile
  try {
    redo = await files.open(path, { noFollow: true })
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return false
    throw error
  }
  try {
    return !(await octetsAt(redo, 0, CROSSED_OUT.length)).equals(CROSSED_OUT)
  } finally {
    await redo.close()
  }
}
/** Makes a folder and those above it, so that they last. */
export async function makeFolders(files: Files, path: string): Promise<void> {
  if ((await files.stat(path)) !== undefined) return
  await makeFolders(files, folderOf(path))
  try {
    await files.makeDirectory(path, 0o700)
    await files.syncDirectory(folderOf(path))
  } catch (error) {
    if (!failedWith(error, 'EEXIST')) throw error
  }
}

/** `none`: nothing to do; `redone`: an interrupted change was finished; `refused`: the mailbox was changed by others since, see the path. */
export type Recovery = { readonly kind: 'none' | 'redone' } | { readonly kind: 'refused'; readonly path: string }

/** Finishes an interrupted change. The caller holds all locks; `mailbox` is open for writing. */
export async function recover(files: Files, places: RedoPlaces, mailbox: OpenFile, how: { readonly stateDirectory: string; readonly durable: boolean; readonly mark: number }): Promise<Recovery> {
  let done: Recovery = { kind: 'none' }
  for (const path of [places.first, places.second]) {
    const there = await files.lstat(path)
    if (there?.kind !== 'file' || there.size === 0) continue
    const redo = await files.open(path, { write: true, noFollow: true })
    try {
      const found = await readRedo(redo)
      const verdict = found === undefined ? 'unused' : await judge(found, redo, mailbox)
      if (found !== undefined && (verdict === 'finish' || verdict === 'finish-cut')) {
        await finish(found.trailer, redo, mailbox, how.durable, verdict === 'finish-cut')
        done = { kind: 'redone' }
      }
      if (verdict === 'foreign') {
        const aside = `${path}.${there.inode.toString(16)}.lost`
        await files.rename(path, aside)
        done = { kind: 'refused', path: aside }
      } else await clearRedo(files, redo, how.stateDirectory, how.mark)
    } finally {
      await redo.close()
    }
  }
  return done
}
async function finish(trailer: Trailer, redo: OpenFile, mailbox: OpenFile, durable: boolean, cut: boolean): Promise<void> {
  const { size } = await mailbox.stat()
  const tail = cut ? await octetsAt(mailbox, trailer.newSize, Math.max(0, size - trailer.newSize)) : await foreignTail(trailer, redo, mailbox, size)
  await writeSegments(redo, mailbox, { trailer, payload: undefined, old: [] }, () => true)
  // What others appended to the half-written file follows the new content.
  if (tail.length > 0) await mailbox.write([tail], trailer.newSize)
  await mailbox.truncate(trailer.newSize + tail.length)
  if (durable) await mailbox.sync()
}

interface FoundRedo {
  readonly trailer: Trailer
  readonly evidence: Buffer
}
async function readRedo(redo: OpenFile): Promise<FoundRedo | undefined> {
  const head = await readHead(redo)
  if (head === undefined) return undefined
  const length = head.evidence + head.trailer
  if (HEAD + head.payload + length > (await redo.stat()).size) return undefined
  const tail = await octetsAt(redo, HEAD + head.payload, length)
  if (crc32(tail) !== head.sum) return undefined
  // The sum proves that it is what `finish` wrote.
  const trailer = JSON.parse(tail.toString('utf8', head.evidence)) as Trailer
  return (await sumOfPayload(redo, trailer.payload)) === trailer.sum ? { trailer, evidence: tail.subarray(0, head.evidence) } : undefined
}
async function sumOfPayload(file: OpenFile, length: number): Promise<number> {
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK, length))
  let sum = 0
  for (let at = 0; at < length; ) {
    const got = await file.read(buffer.subarray(0, Math.min(buffer.length, length - at)), HEAD + at)
    if (got === 0) break
    sum = crc32(buffer.subarray(0, got), sum)
    at += got
  }
  return sum
}

/** Pieces that are neither old nor new and may be torn writes, where only check sums tell. */
const TORN = 2

/**
 * `finish`: the mailbox is as it was or half written; `finish-cut`: and its end is cut off already, since the disk keeps
 * no order. `unused`: it is not this mailbox any more, or the work is done.
 * `foreign`: others have written where we would. An append that others wrote over was finished long ago, or never said
 * to be.
 */
async function judge(found: FoundRedo, redo: OpenFile, mailbox: OpenFile): Promise<'finish' | 'finish-cut' | 'unused' | 'foreign'> {
  const { trailer, evidence } = found
  const stat = await mailbox.stat()
  if (stat.device !== trailer.device || stat.inode !== trailer.inode) return 'unused'
  if (trailer.kind === 'append' && (stat.size < trailer.oldSize || (await firstForeign(trailer, redo, mailbox, stat.size)) >= 0)) return 'unused'
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
  const ours = neither <= (trailer.evidence === 'octets' ? 0 : TORN)
  if (cutAsOld && ours) return 'finish'
  // The end is cut off and all else is new: the work was done, and others may have gone on.
  if (asNew === total || trailer.kind === 'append') return 'unused'
  return ours && stat.size >= trailer.newSize ? 'finish-cut' : 'foreign'
}
function mixed(now: Uint8Array, old: Uint8Array, fresh: Uint8Array): boolean {
  return now.length === old.length && now.every((octet, i) => octet === old[i] || octet === fresh[i])
}
/** New content of a part of the mailbox; undefined when none of it is written. */
async function freshOctets(t: Pick<Trailer, 'segments'>, redo: OpenFile, from: number, to: number): Promise<Buffer | undefined> {
  let payload = 0
  for (const s of t.segments) {
    if (from >= s.offset && to <= s.offset + s.length) return octetsAt(redo, HEAD + payload + from - s.offset, to - from)
    payload += s.length
  }
  return undefined
}
/** Room taken for growth holds NUL and then the new content; index of the first octet behind the old end that came from others, or -1. */
async function firstForeign(t: Trailer, redo: OpenFile, mailbox: OpenFile, size: number): Promise<number> {
  const end = Math.min(size, t.newSize)
  for (let at = t.oldSize; at < end; at += CHUNK) {
    const to = Math.min(end, at + CHUNK)
    const now = await octetsAt(mailbox, at, to - at)
    const fresh = await freshOctets(t, redo, at, to)
    const foreign = now.findIndex((octet, i) => octet !== 0 && octet !== fresh?.[i])
    if (foreign >= 0) return at + foreign
  }
  return -1
}
/** What other programs appended after the crash. */
async function foreignTail(t: Trailer, redo: OpenFile, mailbox: OpenFile, size: number): Promise<Buffer> {
  let from = await firstForeign(t, redo, mailbox, size)
  if (from < 0) {
    from = Math.max(t.oldSize, t.newSize)
    return octetsAt(mailbox, from, Math.max(0, size - from))
  }
  // Their first octets may look like ours by chance: the tail begins after the last NUL.
  const room = await octetsAt(mailbox, t.oldSize, from - t.oldSize)
  const nul = room.lastIndexOf(0)
  from = nul < 0 ? t.oldSize : t.oldSize + nul + 1
  return octetsAt(mailbox, from, size - from)
}
