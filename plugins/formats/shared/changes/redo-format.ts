import type { OpenFile } from 'mailwright/api'
import { crc32 } from 'node:zlib'
import { readSmall } from '../small-read.js'

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
/** What a redo file says of the change. */
export interface Trailer {
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

/** Nothing else in its place: the file says nothing. */
export const MAGIC = 'MWREDO04'
/** The same of an append that failed and could not be taken back: that is still to be done. It differs in one octet, which is written or not. */
export const UNDO_MAGIC = 'MWREDOU4'
export const UNDO = { at: UNDO_MAGIC.indexOf('U'), octets: Buffer.from('U') } as const
/** Magic, length of the payload, of the evidence, of the trailer, check sum of both, check sum of the head so far. */
export const HEAD = MAGIC.length + 8 + 4 + 4 + 4 + 4
export { CHUNK } from '../spare-chunks.js'
/** The disk writes whole sectors, each of them or not, in any order: check sums are taken of as much, so that each is the old one or the new one. */
export const SECTOR = 512

/** How long the parts of a redo file are. */
export interface Head {
  readonly payload: number
  readonly evidence: number
  readonly trailer: number
  /** Of evidence and trailer. */
  readonly sum: number
}
/** Octets of the head. */
export function headOf(h: Head): Buffer {
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
export async function readHead(redo: OpenFile): Promise<(Head & { readonly undo: boolean }) | undefined> {
  const head = await octetsAt(redo, 0, HEAD)
  const undo = head.toString('latin1', 0, MAGIC.length) === UNDO_MAGIC
  // The sum was taken before.
  if (undo) head.write(MAGIC, 'latin1')
  if (head.toString('latin1', 0, MAGIC.length) !== MAGIC || crc32(head.subarray(0, HEAD - 4)) !== head.readUInt32LE(HEAD - 4)) return undefined
  const at = MAGIC.length
  return { undo, payload: head.readDoubleLE(at), evidence: head.readUInt32LE(at + 8), trailer: head.readUInt32LE(at + 12), sum: head.readUInt32LE(at + 16) }
}

/** A redo file that is complete, with its payload where that is in memory, one part behind the other, and the old octets of small changes, by segment. */
export interface Staged {
  readonly trailer: Trailer
  readonly payload: readonly Buffer[] | undefined
  readonly old: readonly Uint8Array[]
}

/** Octets of the mailbox in pieces that end where those of the disk do, so that both writer and recovery cut them alike. */
export function* pieces(from: number, to: number, step = SECTOR): Generator<readonly [number, number]> {
  for (let at = from; at < to; ) {
    const end = Math.min(to, at - (at % step) + step)
    yield [at, end]
    at = end
  }
}
/** Old content that recovery looks at: what is overwritten, and what is cut off. */
export function judged(t: Pick<Trailer, 'oldSize' | 'newSize' | 'segments'>): readonly Segment[] {
  const out: Segment[] = []
  for (const s of t.segments) {
    const length = Math.min(s.offset + s.length, t.oldSize) - s.offset
    if (length > 0) out.push({ offset: s.offset, length })
  }
  if (t.newSize < t.oldSize) out.push({ offset: t.newSize, length: t.oldSize - t.newSize })
  return out
}
/** Octets of the file; zeros where it has none. */
export async function octetsAt(file: OpenFile, offset: number, length: number): Promise<Buffer> {
  const into = Buffer.alloc(length)
  await readSmall(file, into, offset)
  return into
}
