import type { OpenFile } from 'mailwright/api'
import { spareChunks } from '../spare-chunks.js'
import { EarlyWriting } from './early-writing.js'
import { CHUNK, HEAD, pieces, type Segment, type Staged, type Trailer } from './redo-format.js'

/** Writes the new content over the old; room for growth was taken before. What is appended is whole before the mailbox's own record speaks of it. */
export async function applyRedo(redo: OpenFile, mailbox: OpenFile, staged: Staged, durable: boolean): Promise<void> {
  const { oldSize, newSize, kind } = staged.trailer
  if (kind === 'append') {
    await writeSegments(redo, mailbox, staged, (s) => s.offset >= oldSize, durable)
    await writeSegments(redo, mailbox, staged, (s) => s.offset < oldSize, durable)
  } else await writeSegments(redo, mailbox, staged, () => true, durable)
  if (newSize < oldSize) await mailbox.truncate(newSize)
  if (durable) await mailbox.sync()
}
/** Takes back what an append wrote (RFC 9051 §6.3.12). `old`: what stood where it wrote before the end, by segment. */
export async function undoAppend(mailbox: OpenFile, { oldSize, segments }: Pick<Trailer, 'oldSize' | 'segments'>, old: readonly Uint8Array[], durable: boolean): Promise<void> {
  await mailbox.truncate(oldSize)
  for (const [i, octets] of old.entries()) await mailbox.write([octets], segments[i]?.offset ?? 0)
  if (durable) await mailbox.sync()
}
/**
 * Makes the mailbox as long as it will be, so that a full disk is noticed while nothing that was there is changed. Returns why that could not be; the
 * mailbox is then as it was. Throws when it is not.
 */
export async function takeRoom(mailbox: OpenFile, from: number, to: number, durable: boolean): Promise<unknown> {
  const zeros = Buffer.alloc(Math.min(CHUNK, to - from))
  try {
    for (let at = from; at < to; at += zeros.length) await mailbox.write([zeros.subarray(0, Math.min(zeros.length, to - at))], at)
    // The disk may refuse only when it is really written.
    if (durable) await mailbox.sync()
    return undefined
  } catch (error) {
    await mailbox.truncate(from)
    if (durable) await mailbox.sync()
    return error
  }
}
/** Small writes under way at the same time. */
const PARALLEL = 16

/** Puts octets of the redo file where they belong, of those segments. `durable`: the mailbox is synced next. */
export async function writeSegments(redo: OpenFile, mailbox: OpenFile, { trailer, payload }: Staged, which: (s: Segment) => boolean, durable: boolean): Promise<void> {
  const fresh = new Payload(redo, payload)
  const writing: Promise<void>[] = []
  let from = 0
  for (const [i, s] of trailer.segments.entries()) {
    const start = from
    from += s.length
    if (!which(s)) continue
    const isLarge = payload === undefined && s.length > CHUNK
    const isThere = !isLarge && fresh.has(start, from)
    // Nothing is under way while something is read: that may fail, and what is written later would be written over what the caller does then.
    if (!isThere || writing.length === PARALLEL) await allOf(writing.splice(0))
    if (isLarge) {
      await copySegment(redo, mailbox, start, s, durable)
      continue
    }
    if (!isThere) await fresh.load(start, from, start + ofOneRead(trailer.segments, i, which))
    writing.push(mailbox.write(fresh.octets(start, from), s.offset))
  }
  await allOf(writing)
}
/** Octets of a segment and of those behind it that are written with it. */
function ofOneRead(segments: readonly Segment[], first: number, which: (s: Segment) => boolean): number {
  let octets = 0
  for (let i = first; i < segments.length && octets < CHUNK; i++) {
    const s = segments[i]
    if (s === undefined || !which(s) || (i > first && s.length > CHUNK)) break
    octets += s.length
  }
  return octets
}
/** New octets, which are asked for in order: those of many small segments are in one read. */
class Payload {
  readonly #redo: OpenFile
  #parts: readonly Buffer[]
  #start = 0
  #end: number

  constructor(redo: OpenFile, whole: readonly Buffer[] = []) {
    this.#redo = redo
    this.#parts = whole
    this.#end = whole.reduce((sum, part) => sum + part.length, 0)
  }
  has(from: number, to: number): boolean {
    return from >= this.#start && to <= this.#end
  }
  /** Reads them, and what follows up to `end` as far as it goes into one read. What was handed out before is used no more. */
  async load(from: number, to: number, end: number): Promise<void> {
    const length = Math.max(to - from, Math.min(CHUNK, end - from))
    const [before] = this.#parts
    const part = before?.length === length ? before : Buffer.allocUnsafe(length)
    this.#parts = [part]
    this.#start = from
    this.#end = from + length
    if ((await this.#redo.read(part, HEAD + from)) < length) throw new Error(`${this.#redo.path} ended early`)
  }
  /** In parts where they lie in several. */
  octets(from: number, to: number): readonly Buffer[] {
    const out: Buffer[] = []
    let at = this.#start
    for (const part of this.#parts) {
      if (at < to && at + part.length > from) out.push(part.subarray(Math.max(0, from - at), to - at))
      at += part.length
    }
    return out
  }
}
/** Nothing is under way any more when it resolves or throws. */
export async function allOf(writing: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(writing)) if (outcome.status === 'rejected') throw outcome.reason
}
/** The next piece is read while one is written, and the one before it goes to the disk. */
async function copySegment(redo: OpenFile, mailbox: OpenFile, from: number, s: Segment, durable: boolean): Promise<void> {
  const early = durable ? new EarlyWriting(mailbox, s.offset) : undefined
  try {
    await copyPieces(redo, mailbox, from, s, early)
  } finally {
    await early?.settled()
  }
}
async function copyPieces(redo: OpenFile, mailbox: OpenFile, from: number, s: Segment, early: EarlyWriting | undefined): Promise<void> {
  let [full, free] = [spareChunks.take(), spareChunks.take()]
  // No sector of the disk is written in two parts.
  const all = [...pieces(s.offset, s.offset + s.length, CHUNK)]
  const read = async (i: number, into: Buffer): Promise<Buffer> => {
    const [start, end] = all[i] ?? [0, 0]
    const part = into.subarray(0, end - start)
    if ((await redo.read(part, HEAD + from + start - s.offset)) < part.length) throw new Error(`${redo.path} ended early`)
    return part
  }
  let part = await read(0, full)
  for (const [i, [start, end]] of all.entries()) {
    const [written, next] = await Promise.allSettled([mailbox.write([part], start), i + 1 < all.length ? read(i + 1, free) : part])
    if (written.status === 'rejected') throw written.reason
    if (next.status === 'rejected') throw next.reason
    early?.wrote(end)
    part = next.value
    ;[full, free] = [free, full]
  }
  for (const chunk of [full, free]) spareChunks.give(chunk)
}
