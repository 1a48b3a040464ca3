import { crc32 } from 'node:zlib'
import { UNKNOWN } from '../../api/index.js'

/** Uids of one segment file. */
export const SEGMENT_UIDS = 4096
const MAGIC = 0x32_46_57_4d // "MWF2", little-endian
/** Magic number and UIDVALIDITY. */
const HEAD = 8
const FRAME = 8
const VALUE_HEAD = 13
/** Room for fresh values at first; later twice as much as there was. */
const FIRST_ROOM = 8 * 1024
/** Names of one batch have a number of an octet. */
const MOST_NAMES = 255
const MAX_BATCH = 256 * 1024 * 1024

/** Where values of one fact lie, by uid: in the file behind its beginning; negative: among the fresh ones; 0: nowhere. */
interface Place {
  readonly offset: Int32Array
  readonly length: Int32Array
  readonly size: Uint32Array
}
/** Octets to write, and what to call when they are written. */
export interface Batch {
  readonly bytes: Uint8Array
  written(): void
}

/**
 * Facts of up to 4096 messages, of all kinds. A file is a magic number, the UIDVALIDITY that its uids belong to, and batches (length, checksum,
 * payload); a batch defines the fact names it uses and gives values, each with the size of the message that it is of; a later value replaces an
 * earlier one. A torn or damaged batch ends the file, and one of another UIDVALIDITY is as none. What is fresh lies in memory as a batch has it, one
 * value after the other, since thousands of small objects cost more than what is in them. `rewritten` is the file anew, without what nobody asks for
 * any more.
 */
export class Segment {
  readonly base: number
  readonly uidValidity: number
  #bytes: Uint8Array
  readonly #places = new Map<string, Place>()
  /** Values that are not written yet, as they stand in a batch, and the names by which they are numbered. What was handed out is never written over. */
  #fresh = new DataView(new ArrayBuffer(0))
  #freshEnd = 0
  #names: readonly string[] = []
  /** Where the next batch goes. */
  end: number
  constructor(base: number, uidValidity: number, file: Uint8Array | undefined) {
    this.base = base
    this.uidValidity = uidValidity
    this.#bytes = file ?? new Uint8Array(0)
    this.end = this.#index()
  }
  /** What it costs to keep. */
  get octets(): number {
    return this.#bytes.length + this.#fresh.byteLength + this.#places.size * SEGMENT_UIDS * 12 + 256
  }
  get isDirty(): boolean {
    return this.#freshEnd > 0
  }
  /** A value that was kept of a message of this size (octets), as far as both are known. */
  get(fact: string, uid: number, size: number): Uint8Array | undefined {
    const place = this.#places.get(fact)
    if (place === undefined) return undefined
    const index = uid - this.base
    return place.offset[index] === 0 || !agree(place.size[index]!, size) ? undefined : this.#valueAt(place, index)
  }
  /** The same of many, which are all of this segment, put behind what is in `out`. */
  all(fact: string, uids: Uint32Array, now: { sizeOf(uid: number): number }, out: (Uint8Array | undefined)[]): void {
    const place = this.#places.get(fact)
    for (let i = 0; i < uids.length; i++) {
      const index = uids[i]! - this.base
      const isThere = place !== undefined && place.offset[index] !== 0 && agree(place.size[index]!, now.sizeOf(uids[i]!))
      out.push(isThere ? this.#valueAt(place, index) : undefined)
    }
  }
  #valueAt({ offset, length }: Place, index: number): Uint8Array {
    const at = offset[index]!
    if (at < 0) return new Uint8Array(this.#fresh.buffer, -at, length[index])
    return this.#bytes.subarray(at, at + length[index]!)
  }
  /** Of more than 255 kinds of facts those that are one too many for a batch are not kept. */
  put(fact: string, uid: number, size: number, value: Uint8Array): void {
    let code = this.#names.indexOf(fact)
    if (code === -1) {
      if (this.#names.length === MOST_NAMES) return
      code = this.#names.length
      this.#names = [...this.#names, fact]
    }
    const at = this.#freshEnd
    this.#freshEnd = at + VALUE_HEAD + value.length
    if (this.#freshEnd > this.#fresh.byteLength) this.#widen()
    this.#fresh.setUint8(at, code)
    this.#fresh.setUint32(at + 1, uid, true)
    this.#fresh.setUint32(at + 5, value.length, true)
    this.#fresh.setUint32(at + 9, size, true)
    new Uint8Array(this.#fresh.buffer, at + VALUE_HEAD, value.length).set(value)
    this.#found(fact, uid, -at - VALUE_HEAD, value.length, size)
  }
  #widen(): void {
    const wider = new Uint8Array(Math.max(FIRST_ROOM, 2 * this.#fresh.byteLength, this.#freshEnd))
    wider.set(new Uint8Array(this.#fresh.buffer))
    this.#fresh = new DataView(wider.buffer)
  }
  #index(): number {
    const { buffer, byteOffset, byteLength } = this.#bytes
    // Never a Buffer: what reads values has been compiled for octets of one kind, and is compiled anew, while a client waits, when it meets another.
    this.#bytes = new Uint8Array(buffer, byteOffset, byteLength)
    const b = Buffer.from(buffer, byteOffset, byteLength)
    if (b.length < HEAD || b.readUInt32LE(0) !== MAGIC || b.readUInt32LE(4) !== this.uidValidity) {
      this.#bytes = new Uint8Array(0)
      return 0
    }
    let at = HEAD
    while (at + FRAME <= b.length) {
      const length = b.readUInt32LE(at)
      const start = at + FRAME
      if (length === 0 || length > MAX_BATCH || start + length > b.length) break
      if (crc32(b.subarray(start, start + length)) !== b.readUInt32LE(at + 4)) break
      this.#indexBatch(b, start, start + length)
      at = start + length
    }
    return at
  }
  #indexBatch(b: Buffer, start: number, end: number): void {
    const names: string[] = []
    let at = start
    const count = b[at++]!
    for (let i = 0; i < count; i++) {
      const length = b[at++]!
      names.push(b.toString('latin1', at, at + length))
      at += length
    }
    this.#indexValues(b, at, end, names, 1)
  }
  /** Values one after the other in what is written (`side` 1) or fresh (-1). */
  #indexValues(b: Buffer, from: number, end: number, names: readonly string[], side: 1 | -1): void {
    for (let at = from; at + VALUE_HEAD <= end; ) {
      const name = names[b[at]!]
      const uid = b.readUInt32LE(at + 1)
      const length = b.readUInt32LE(at + 5)
      const size = b.readUInt32LE(at + 9)
      at += VALUE_HEAD
      if (name !== undefined && uid >= this.base && uid < this.base + SEGMENT_UIDS) this.#found(name, uid, side * at, length, size)
      at += length
    }
  }
  #found(name: string, uid: number, offset: number, length: number, size: number): void {
    let place = this.#places.get(name)
    if (place === undefined) {
      place = { offset: new Int32Array(SEGMENT_UIDS), length: new Int32Array(SEGMENT_UIDS), size: new Uint32Array(SEGMENT_UIDS) }
      this.#places.set(name, place)
    }
    const index = uid - this.base
    place.offset[index] = offset
    place.length[index] = length
    place.size[index] = size
  }
  /** Makes room, by more than is wanted, so that many small batches do not copy what is there each time. */
  #grow(capacity: number): void {
    if (capacity <= this.#bytes.length) return
    const wider = new Uint8Array(Math.max(capacity, this.end + (this.end >> 1)))
    wider.set(this.#bytes.subarray(0, this.end))
    this.#bytes = wider
  }
  /** Octets of the file that are values of messages that are there. */
  live(isThere: (uid: number) => boolean): number {
    let octets = 0
    for (const { offset, length } of this.#places.values()) {
      for (let index = 0; index < SEGMENT_UIDS; index++) if (offset[index] !== 0 && isThere(this.base + index)) octets += VALUE_HEAD + length[index]!
    }
    return octets
  }
  /** The octets to write at `end`; what is put later goes into the next batch. */
  batch(): Batch | undefined {
    if (!this.isDirty) return undefined
    const upTo = this.#freshEnd
    const bytes = framed(this.#names, [new Uint8Array(this.#fresh.buffer, 0, upTo)], this.end === 0 ? this.uidValidity : undefined)
    const written = (): void => {
      const start = this.end + (this.end === 0 ? HEAD : 0) + FRAME
      this.#grow(this.end + bytes.length)
      this.#bytes.set(bytes, this.end)
      this.end += bytes.length
      this.#indexBatch(Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.end), start, this.end)
      this.#settle(upTo)
    }
    return { bytes, written }
  }
  /** The whole file anew with the values of messages that are there, fresh ones too; undefined where there are none. */
  rewritten(isThere: (uid: number) => boolean): Batch | undefined {
    const upTo = this.#freshEnd
    const names: string[] = []
    const parts: Uint8Array[] = []
    for (const [name, place] of [...this.#places].slice(0, MOST_NAMES)) {
      const before = parts.length
      for (let index = 0; index < SEGMENT_UIDS; index++) {
        if (place.offset[index] === 0 || !isThere(this.base + index)) continue
        const head = Buffer.allocUnsafe(VALUE_HEAD)
        head[0] = names.length
        head.writeUInt32LE(this.base + index, 1)
        head.writeUInt32LE(place.length[index]!, 5)
        head.writeUInt32LE(place.size[index]!, 9)
        parts.push(head, this.#valueAt(place, index))
      }
      if (parts.length > before) names.push(name)
    }
    if (names.length === 0) return undefined
    const bytes = framed(names, parts, this.uidValidity)
    const written = (): void => {
      this.#bytes = bytes
      this.#places.clear()
      this.end = this.#index()
      this.#settle(upTo)
    }
    return { bytes, written }
  }
  /** Fresh values up to here are on the disk, or not wanted any more; those that were put meanwhile stay, in memory of their own. */
  #settle(upTo: number): void {
    const rest = new Uint8Array(this.#fresh.buffer.slice(upTo, this.#freshEnd))
    this.#fresh = new DataView(rest.buffer)
    this.#freshEnd = rest.length
    if (rest.length === 0) this.#names = []
    else this.#indexValues(Buffer.from(rest.buffer), 0, rest.length, this.#names, -1)
  }
}

/** A batch in its frame, behind the head of the file where it is the first: its UIDVALIDITY is given then. */
function framed(names: readonly string[], values: readonly Uint8Array[], uidValidity: number | undefined): Uint8Array {
  const head = Buffer.concat([Uint8Array.of(names.length), ...names.flatMap((name) => [Uint8Array.of(Buffer.byteLength(name, 'latin1')), Buffer.from(name, 'latin1')])])
  const at = uidValidity === undefined ? 0 : HEAD
  const bytes = Buffer.concat([Buffer.alloc(at + FRAME), head, ...values])
  if (uidValidity !== undefined) bytes.writeUInt32LE(uidValidity, bytes.writeUInt32LE(MAGIC, 0))
  bytes.writeUInt32LE(bytes.length - at - FRAME, at)
  bytes.writeUInt32LE(crc32(bytes.subarray(at + FRAME)), at + 4)
  return bytes
}

function agree(kept: number, now: number): boolean {
  return kept === now || kept === UNKNOWN || now === UNKNOWN
}
