import { crc32 } from 'node:zlib'
import { UNKNOWN } from '../../api/index.js'

/** Uids of one segment file. */
export const SEGMENT_UIDS = 4096
const MAGIC = 0x32_46_57_4d // "MWF2", little-endian
/** Magic number and UIDVALIDITY. */
const HEAD = 8
const FRAME = 8
const VALUE_HEAD = 13
const ARENA = 32 * 1024
/** Names of one batch have a number of an octet. */
const MOST_NAMES = 255
const MAX_BATCH = 256 * 1024 * 1024

interface Place {
  readonly offset: Int32Array
  readonly length: Int32Array
  readonly size: Uint32Array
}
interface Fresh {
  readonly value: Uint8Array
  readonly size: number
}

/** Values of one fact, by uid. */
type Named = readonly [name: string, values: readonly (readonly [number, Fresh])[]]
/** Octets to write, and what to call when they are written. */
export interface Batch {
  readonly bytes: Uint8Array
  written(): void
}

/**
 * Facts of up to 4096 messages, of all kinds. A file is a magic number, the UIDVALIDITY that its uids belong to, and batches (length, checksum,
 * payload); a batch defines the fact names it uses and gives values, each with the size of the message that it is of; a later value replaces an
 * earlier one. A torn or damaged batch ends the file, and one of another UIDVALIDITY is as none. `rewritten` is the file anew, without what nobody asks for any more.
 */
export class Segment {
  readonly base: number
  readonly uidValidity: number
  #bytes: Uint8Array
  readonly #places = new Map<string, Place>()
  readonly #fresh = new Map<string, Map<number, Fresh>>()
  #freshOctets = 0
  /** Fresh values lie here one after the other: many small buffers of their own cost more than what is in them. */
  #arena = Buffer.alloc(0)
  #arenaAt = 0
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
    return this.#bytes.length + this.#freshOctets + this.#places.size * SEGMENT_UIDS * 12 + 256
  }
  get isDirty(): boolean {
    return this.#fresh.size > 0
  }
  /** A value that was kept of a message of this size (octets), as far as both are known. */
  get(fact: string, uid: number, size: number): Uint8Array | undefined {
    const fresh = this.#fresh.get(fact)?.get(uid)
    if (fresh !== undefined) return agree(fresh.size, size) ? fresh.value : undefined
    const place = this.#places.get(fact)
    if (place === undefined) return undefined
    const index = uid - this.base
    const at = place.offset[index]!
    return at === 0 || !agree(place.size[index]!, size) ? undefined : this.#bytes.subarray(at, at + place.length[index]!)
  }
  put(fact: string, uid: number, size: number, value: Uint8Array): void {
    let own = this.#fresh.get(fact)
    if (own === undefined) this.#fresh.set(fact, (own = new Map()))
    const earlier = own.get(uid)
    if (earlier !== undefined) this.#freshOctets -= costOf(earlier)
    const fresh = { value: this.#keep(value), size }
    own.set(uid, fresh)
    this.#freshOctets += costOf(fresh)
  }
  #keep(value: Uint8Array): Uint8Array {
    if (this.#arenaAt + value.length > this.#arena.length) {
      this.#arena = Buffer.allocUnsafeSlow(Math.max(ARENA, value.length))
      this.#arenaAt = 0
    }
    const kept = this.#arena.subarray(this.#arenaAt, this.#arenaAt + value.length)
    kept.set(value)
    this.#arenaAt += value.length
    return kept
  }
  #index(): number {
    const b = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength)
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
    while (at + VALUE_HEAD <= end) {
      const name = names[b[at]!]
      const uid = b.readUInt32LE(at + 1)
      const length = b.readUInt32LE(at + 5)
      const size = b.readUInt32LE(at + 9)
      at += VALUE_HEAD
      if (name !== undefined && uid >= this.base && uid < this.base + SEGMENT_UIDS) {
        const place = this.#place(name)
        place.offset[uid - this.base] = at
        place.length[uid - this.base] = length
        place.size[uid - this.base] = size
      }
      at += length
    }
  }
  #place(name: string): Place {
    let place = this.#places.get(name)
    if (place === undefined) {
      place = { offset: new Int32Array(SEGMENT_UIDS), length: new Int32Array(SEGMENT_UIDS), size: new Uint32Array(SEGMENT_UIDS) }
      this.#places.set(name, place)
    }
    return place
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
    if (this.#fresh.size === 0) return undefined
    const facts = [...this.#fresh].slice(0, MOST_NAMES).map(([name, values]) => [name, [...values]] as const)
    const bytes = this.#framed(facts, this.end === 0)
    const written = (): void => {
      const start = this.end + (this.end === 0 ? HEAD : 0) + FRAME
      this.#grow(this.end + bytes.length)
      this.#bytes.set(bytes, this.end)
      this.end += bytes.length
      this.#indexBatch(Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.end), start, this.end)
      this.#settle(facts)
    }
    return { bytes, written }
  }
  /** The whole file anew with the values of messages that are there, fresh ones too; undefined where there are none. */
  rewritten(isThere: (uid: number) => boolean): Batch | undefined {
    const names = [...new Set([...this.#fresh.keys(), ...this.#places.keys()])].slice(0, MOST_NAMES)
    const taken = [...this.#fresh].map(([name, values]) => [name, [...values]] as const)
    const facts = names.map((name) => [name, this.#valuesOf(name).filter(([uid]) => isThere(uid))] as const).filter(([, values]) => values.length > 0)
    if (facts.length === 0) return undefined
    const bytes = this.#framed(facts, true)
    const written = (): void => {
      this.#bytes = bytes
      this.#places.clear()
      this.end = this.#index()
      this.#settle(taken)
    }
    return { bytes, written }
  }
  #valuesOf(name: string): (readonly [number, Fresh])[] {
    const fresh = this.#fresh.get(name) ?? new Map<number, Fresh>()
    const place = this.#places.get(name)
    if (place === undefined) return [...fresh]
    const kept: (readonly [number, Fresh])[] = []
    for (let index = 0; index < SEGMENT_UIDS; index++) {
      const at = place.offset[index]!
      if (at !== 0 && !fresh.has(this.base + index)) kept.push([this.base + index, { value: this.#bytes.subarray(at, at + place.length[index]!), size: place.size[index]! }])
    }
    return [...kept, ...fresh]
  }
  /** A batch in its frame, behind the head of the file where it is the first. */
  #framed(facts: readonly Named[], first: boolean): Uint8Array {
    const parts: Uint8Array[] = [Uint8Array.of(facts.length)]
    for (const [name] of facts) parts.push(Uint8Array.of(Buffer.byteLength(name, 'latin1')), Buffer.from(name, 'latin1'))
    for (const [code, [, values]] of facts.entries()) {
      for (const [uid, { value, size }] of values) {
        const head = Buffer.allocUnsafe(VALUE_HEAD)
        head[0] = code
        head.writeUInt32LE(uid, 1)
        head.writeUInt32LE(value.length, 5)
        head.writeUInt32LE(size, 9)
        parts.push(head, value)
      }
    }
    const payload = Buffer.concat(parts)
    const frame = Buffer.allocUnsafe(FRAME)
    frame.writeUInt32LE(payload.length, 0)
    frame.writeUInt32LE(crc32(payload), 4)
    const head = Buffer.allocUnsafe(first ? HEAD : 0)
    if (first) head.writeUInt32LE(this.uidValidity, head.writeUInt32LE(MAGIC, 0))
    return Buffer.concat([head, frame, payload])
  }
  /** These are on the disk, or not wanted any more; what was put in their place meanwhile is not. */
  #settle(facts: readonly Named[]): void {
    for (const [name, values] of facts) {
      const own = this.#fresh.get(name)
      for (const [uid, fresh] of values) {
        if (own?.get(uid) !== fresh) continue
        own.delete(uid)
        this.#freshOctets -= costOf(fresh)
      }
      if (own?.size === 0) this.#fresh.delete(name)
    }
  }
}

function agree(kept: number, now: number): boolean {
  return kept === now || kept === UNKNOWN || now === UNKNOWN
}
/** Octets in memory, with what the maps around it take. */
function costOf({ value }: Fresh): number {
  return value.length + 128
}
