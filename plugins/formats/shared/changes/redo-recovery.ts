import { failedWith } from 'mailwright/api'
import type { FileStat, Files, OpenFile } from 'mailwright/api'
import { crc32 } from 'node:zlib'
import { takeRoom, undoAppend, writeSegments } from './redo-apply.js'
import { CHUNK, HEAD, judged, octetsAt, pieces, readHead, type Segment, type Trailer } from './redo-format.js'
import { clearRedo, type RedoPlaces } from './redo-places.js'
import { Plan } from './redo-plan.js'
import { leastRoom, readSteps } from './steps-format.js'
import { Stepwise } from './stepwise.js'

/** `none`: nothing to do; `redone`: an interrupted change was finished; `refused`: the mailbox was changed by others since, see the path. `steps`: it was made in steps. */
export type Recovery = { readonly kind: 'none' | 'redone' } | { readonly kind: 'refused'; readonly path: string; readonly steps: boolean }

/** Finishes an interrupted change. The caller holds all locks; `mailbox` is open for writing. */
export async function recover(files: Files, places: RedoPlaces, mailbox: OpenFile, how: { readonly stateDirectory: string; readonly durable: boolean; readonly mark: number }): Promise<Recovery> {
  let done: Recovery = { kind: 'none' }
  for (const path of [places.first, places.second]) {
    const there = await files.lstat(path)
    if (there?.kind !== 'file' || there.size === 0) continue
    const redo = await files.open(path, { write: true, noFollow: true })
    try {
      const stepped = await goOn(redo, mailbox, how.durable)
      const outcome = stepped ?? (await finishWhole(redo, mailbox, how.durable))
      if (outcome === 'redone') done = { kind: 'redone' }
      if (outcome === 'foreign') {
        const aside = `${path}.${there.inode.toString(16)}.lost`
        await files.rename(path, aside)
        done = { kind: 'refused', path: aside, steps: stepped !== undefined }
      } else await clearRedo(files, redo, how.stateDirectory, how.mark)
    } finally {
      await redo.close()
    }
  }
  return done
}
/** A change that was made in steps; undefined when the file speaks of none. */
async function goOn(redo: OpenFile, mailbox: OpenFile, durable: boolean): Promise<'redone' | 'unused' | 'foreign' | undefined> {
  const head = await readSteps(redo)
  if (head === undefined) return undefined
  const steps = await Stepwise.found(redo, mailbox, head, durable)
  if (steps === 'foreign') return 'foreign'
  if (steps === 'done') return 'unused'
  await steps.run()
  return 'redone'
}
/** A change of which all new octets are there. */
async function finishWhole(redo: OpenFile, mailbox: OpenFile, durable: boolean): Promise<'redone' | 'unused' | 'foreign'> {
  const found = await readRedo(redo)
  const verdict = found === undefined ? 'unused' : await judge(found, redo, mailbox)
  if (found === undefined || verdict === 'unused' || verdict === 'foreign') return verdict === 'foreign' ? 'foreign' : 'unused'
  const { kind, oldSize, newSize } = found.trailer
  // What others appended behind what is whole, or all but its NULs, stays where it is.
  if (found.undo && found.trailer.evidence === 'octets' && (await mailbox.stat()).size <= newSize) {
    await undoAppend(mailbox, found.trailer, oldOctets(found), durable)
    return 'redone'
  }
  if (kind === 'rewrite' && newSize > oldSize && (await mailbox.stat()).size === oldSize) {
    // Room is taken before anything is written, so that nothing is yet; where there is none now nothing will be.
    const refused = await takeRoom(mailbox, oldSize, newSize, durable)
    if (failedWith(refused, 'ENOSPC', 'EDQUOT', 'EFBIG')) return 'unused'
    if (refused !== undefined) throw refused
  }
  await finish(found.trailer, redo, mailbox, durable, verdict === 'finish-cut')
  return 'redone'
}
async function finish(trailer: Trailer, redo: OpenFile, mailbox: OpenFile, durable: boolean, cut: boolean): Promise<void> {
  const stat = await mailbox.stat()
  const { size } = stat
  if (!cut && size > trailer.oldSize && trailer.newSize < trailer.oldSize) {
    await writeSegments(redo, mailbox, { trailer, payload: undefined, old: [] }, () => true, durable)
    if (durable) await mailbox.sync()
    await moveTail(trailer, redo, mailbox, stat, durable)
    return
  }
  const tail = cut ? await octetsAt(mailbox, trailer.newSize, Math.max(0, size - trailer.newSize)) : await foreignTail(trailer, redo, mailbox, size)
  await writeSegments(redo, mailbox, { trailer, payload: undefined, old: [] }, () => true, durable)
  // What others appended to the half-written file follows the new content.
  if (tail.length > 0) await mailbox.write([tail], trailer.newSize)
  await mailbox.truncate(trailer.newSize + tail.length)
  if (durable) await mailbox.sync()
}
/**
 * What others appended to a file that becomes shorter follows the new content. To move it destroys what recovery goes by, so that it is a change of its
 * own, in steps, of which the redo file speaks instead from the moment it begins.
 */
async function moveTail({ oldSize, newSize }: Trailer, redo: OpenFile, mailbox: OpenFile, stat: FileStat, durable: boolean): Promise<void> {
  const plan = new Plan(0, [{ at: 0, length: newSize, from: 0 }, { at: newSize, length: stat.size - oldSize, from: oldSize }])
  const { size: from, mtimeMs } = await redo.stat()
  const steps = await Stepwise.begin(redo, mailbox, plan, { stat, size: stat.size, from, room: leastRoom(plan), durable, nonce: Math.floor(mtimeMs) })
  if (durable) await redo.sync()
  await steps.run()
}

interface FoundRedo {
  readonly trailer: Trailer
  readonly evidence: Buffer
  /** It is an append, to be taken back. */
  readonly undo: boolean
}
/** Old content by segment, where it is kept. */
function oldOctets({ trailer, evidence }: FoundRedo): readonly Uint8Array[] {
  let at = 0
  return judged(trailer).map(({ length }) => evidence.subarray(at, (at += length)))
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
  return (await sumOfPayload(redo, trailer.payload)) === trailer.sum ? { trailer, evidence: tail.subarray(0, head.evidence), undo: head.undo } : undefined
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

/** Sectors that are neither old nor new, on a disk that tears one after all, where only check sums tell. */
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
  const written = new Fresh(trailer, redo)
  for (const s of judged(trailer)) {
    for (const [start, end] of pieces(s.offset, s.offset + s.length, CHUNK)) {
      const there = await octetsAt(mailbox, start, Math.max(0, Math.min(end, stat.size) - start))
      const octets = await written.octets(start, end)
      for (const [from, to] of pieces(start, end)) {
        const now = there.subarray(from - start, to - start)
        const fresh = octets?.subarray(from - start, to - start)
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
/** New content of parts of the mailbox, which are mostly asked for in order. */
class Fresh {
  readonly #segments: readonly Segment[]
  readonly #redo: OpenFile
  /** Of the segment that was found last: its index and that of its first octet in the payload. */
  #last = 0
  #payload = 0

  constructor({ segments }: Pick<Trailer, 'segments'>, redo: OpenFile) {
    this.#segments = segments
    this.#redo = redo
  }
  /** Undefined when none of it is written. */
  async octets(from: number, to: number): Promise<Buffer | undefined> {
    const s = this.#find(this.#last, this.#payload, from, to) ?? this.#find(0, 0, from, to)
    return s && octetsAt(this.#redo, HEAD + this.#payload + from - s.offset, to - from)
  }
  #find(first: number, start: number, from: number, to: number): Segment | undefined {
    let payload = start
    for (let i = first; i < this.#segments.length; i++) {
      const s = this.#segments[i]
      if (s === undefined) break
      if (from >= s.offset && to <= s.offset + s.length) {
        this.#last = i
        this.#payload = payload
        return s
      }
      payload += s.length
    }
    return undefined
  }
}
/** Room taken for growth holds NUL and then the new content; index of the first octet behind the old end that came from others, or -1. */
async function firstForeign(t: Trailer, redo: OpenFile, mailbox: OpenFile, size: number): Promise<number> {
  const end = Math.min(size, t.newSize)
  const written = new Fresh(t, redo)
  for (let at = t.oldSize; at < end; at += CHUNK) {
    const to = Math.min(end, at + CHUNK)
    const now = await octetsAt(mailbox, at, to - at)
    const fresh = await written.octets(at, to)
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
