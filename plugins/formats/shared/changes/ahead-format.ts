import { crc32 } from 'node:zlib'

/*
 * Flags of many messages lie on many pages of a mailbox file. They are on the disk at once when one record of all of them is, in a file of
 * their own (a write-ahead log); the mailbox then has them in memory, where every program sees them, and is synced later. A machine that
 * stops in between loses any of the mailbox's pages, and none of the records: they are laid over what is left of the old octets.
 *
 * Layout: a sector with head and note, then records one after the other. Magic that is crossed out ends all of them. A record bears a check
 * sum and the number of its log, so that what stands behind the last one is none. The note says what was done since, to those who find the
 * log while the machine runs: it is not synced, and means nothing after the machine was started anew.
 */

export const MAGIC = 'MWAHEAD1'
/** Where records begin: the disk writes a sector whole or not at all. */
export const RECORDS = 512
const BOOT_OCTETS = 36
const HEAD = MAGIC.length + 8 + 8 + 4 + BOOT_OCTETS + 4
export const NOTE_AT = 128
const NOTE = 4 + 4 + 8 + 4
/** Length, check sum, count, when, tail. */
const RECORD_HEAD = 4 + 4 + 4 + 8 + 1
/** Distance from the change before, old octet, new octet, how far before it the proof begins, check sum of the proof. */
const ENTRY = 4 + 1 + 1 + 1 + 4
/** Octets that tell whether the message is still where it was: most of its date, its size; then digits of flags, and in some formats its number. */
export const PROOF = 28
const DIGITS = 12
/** CRC-32 by octets (reversed polynomial). A thousand sums of forty octets each are cheaper so than a thousand views of them. */
const TABLE = Int32Array.from({ length: 256 }, (_, n) => {
  let sum = n
  for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 0 ? sum >>> 1 : (sum >>> 1) ^ 0xedb88320
  return sum
})
function summed(sum: number, octets: Uint8Array, from: number, to: number): number {
  for (let i = from; i < to; i++) sum = (sum >>> 8) ^ (TABLE[(sum ^ (octets[i] ?? 0)) & 0xff] ?? 0)
  return sum
}
/** Check sum (CRC-32) of what does not change about the digits of a message; `start` is where it begins in `octets`. */
export function proofOf(octets: Uint8Array, start: number, tail: number): number {
  const digits = start + PROOF
  return ~summed(summed(-1, octets, start, digits), octets, digits + DIGITS, digits + DIGITS + tail) >>> 0
}
/** Octets of all that. */
export function proofLength(tail: number): number {
  return PROOF + DIGITS + tail
}
/** Octets of the proof behind the digits, of fields of this length. */
export function tailOf(fieldsLength: number): number {
  return fieldsLength - DIGITS
}

/** Changes of single octets, ascending by place; arrays of the same length. */
export interface OctetChanges {
  readonly at: Float64Array
  readonly old: Uint8Array
  readonly octets: Uint8Array
  /** How far before the octet those begin that prove it to be the same message. */
  readonly back: Uint8Array
  readonly proof: Uint32Array
  /** Octets of each proof behind the digits. */
  readonly tail: number
}
/** What was written at once. */
export interface AheadRecord {
  readonly atMs: number
  /** As it lies in the log; `changesIn` reads them. */
  readonly octets: Buffer
}
export interface AheadHead {
  readonly device: number
  readonly inode: number
  /** Tells a log from those before it in the same file. */
  readonly nonce: number
  /** The start of the machine in which it was written. */
  readonly boot: string
}
/** What was done in the mailbox: so many records are laid there, and its time of modification is this one; NaN for one that says nothing. */
export interface AheadNote {
  readonly laid: number
  readonly mtimeMs: number
}

export function headSector({ device, inode, nonce, boot }: AheadHead): Buffer {
  const out = Buffer.alloc(RECORDS)
  out.write(MAGIC, 'latin1')
  let at = out.writeDoubleLE(device, MAGIC.length)
  at = out.writeDoubleLE(inode, at)
  at = out.writeUInt32LE(nonce, at)
  out.write(boot.slice(0, BOOT_OCTETS), at, 'latin1')
  out.writeUInt32LE(crc32(out.subarray(0, HEAD - 4)), HEAD - 4)
  return out
}
/** Undefined when it says nothing. */
export function readHead(file: Buffer): AheadHead | undefined {
  if (file.length < RECORDS || file.toString('latin1', 0, MAGIC.length) !== MAGIC || crc32(file.subarray(0, HEAD - 4)) !== file.readUInt32LE(HEAD - 4)) return undefined
  const at = MAGIC.length
  const boot = file.toString('latin1', at + 20, at + 20 + BOOT_OCTETS)
  return { device: file.readDoubleLE(at), inode: file.readDoubleLE(at + 8), nonce: file.readUInt32LE(at + 16), boot: boot.slice(0, boot.includes('\0') ? boot.indexOf('\0') : undefined) }
}
export function noteOctets(nonce: number, { laid, mtimeMs }: AheadNote): Buffer {
  const out = Buffer.alloc(NOTE)
  out.writeUInt32LE(nonce, 0)
  out.writeUInt32LE(laid, 4)
  out.writeDoubleLE(mtimeMs, 8)
  out.writeUInt32LE(crc32(out.subarray(0, NOTE - 4)), NOTE - 4)
  return out
}
export function readNote(file: Buffer, nonce: number): AheadNote {
  const note = file.subarray(NOTE_AT, NOTE_AT + NOTE)
  const isNone = note.readUInt32LE(0) !== nonce || crc32(note.subarray(0, NOTE - 4)) !== note.readUInt32LE(NOTE - 4)
  return isNone ? { laid: 0, mtimeMs: Number.NaN } : { laid: note.readUInt32LE(4), mtimeMs: note.readDoubleLE(8) }
}

/** Undefined when two changes are too far from each other. */
export function recordOf(nonce: number, atMs: number, { at, old, octets, back, proof, tail }: OctetChanges): AheadRecord | undefined {
  const count = at.length
  const out = Buffer.allocUnsafe(RECORD_HEAD + ENTRY * count)
  out.writeUInt32LE(out.length, 0)
  out.writeUInt32LE(count, 8)
  out.writeDoubleLE(atMs, 12)
  out[20] = tail
  let to = RECORD_HEAD
  let before = 0
  for (let n = 0; n < count; n++) {
    const place = at[n] ?? 0
    const distance = place - before
    if (distance > 0xffffffff) return undefined
    before = place
    putUint32(out, to, distance)
    out[to + 4] = old[n] ?? 0
    out[to + 5] = octets[n] ?? 0
    out[to + 6] = back[n] ?? 0
    putUint32(out, to + 7, proof[n] ?? 0)
    to += ENTRY
  }
  out.writeUInt32LE(crc32(out.subarray(8), nonce), 4)
  return { atMs, octets: out }
}
/** Little-endian, without what makes Buffer's own look at each number first. */
function putUint32(out: Uint8Array, at: number, n: number): void {
  out[at] = n
  out[at + 1] = n >>> 8
  out[at + 2] = n >>> 16
  out[at + 3] = n >>> 24
}
/** The records of a log, and where the next one goes. */
export function readRecords(file: Buffer, nonce: number): { readonly records: readonly AheadRecord[]; readonly end: number } {
  const records: AheadRecord[] = []
  let from = RECORDS
  while (from + RECORD_HEAD <= file.length) {
    const length = file.readUInt32LE(from)
    if (length < RECORD_HEAD || from + length > file.length) break
    const record = file.subarray(from, from + length)
    const count = record.readUInt32LE(8)
    if (crc32(record.subarray(8), nonce) !== record.readUInt32LE(4) || length !== RECORD_HEAD + ENTRY * count) break
    records.push({ atMs: record.readDoubleLE(12), octets: record })
    from += length
  }
  return { records, end: from }
}
/** What a record says; few ever need it. */
export function changesIn({ octets: record }: AheadRecord): OctetChanges {
  const count = record.readUInt32LE(8)
  const changes = { at: new Float64Array(count), old: new Uint8Array(count), octets: new Uint8Array(count), back: new Uint8Array(count), proof: new Uint32Array(count), tail: record[20] ?? 0 }
  let from = RECORD_HEAD
  let place = 0
  for (let n = 0; n < count; n++) {
    place += record.readUInt32LE(from)
    changes.at[n] = place
    changes.old[n] = record[from + 4] ?? 0
    changes.octets[n] = record[from + 5] ?? 0
    changes.back[n] = record[from + 6] ?? 0
    changes.proof[n] = record.readUInt32LE(from + 7)
    from += ENTRY
  }
  return changes
}
