import type { OpenFile } from 'mailwright/api'
import { crc32 } from 'node:zlib'
import type { ContentWriter, Pieces } from '../content-writer.js'
import { spareChunks } from '../spare-chunks.js'
import { EarlyWriting } from './early-writing.js'
import { CHUNK, HEAD, headOf, judged, octetsAt, pieces, type ChangeKind, type Segment, type Staged, type Trailer } from './redo-format.js'
import { MOST_ROOM, ROOM } from './redo-places.js'

/** Changes up to this size keep the old octets themselves. */
const KEEP_OLD = 1 << 16
/** Most changes are small. */
const FIRST = 1 << 13
const NOTHING = Buffer.alloc(0)

/**
 * Collects new content front to back; parts that stay where they are cost nothing. Two chunks stay in memory; of what is longer one is written while the
 * other is filled, so that whoever does not come to `finish` must `drop` it.
 */
export class RedoWriter implements ContentWriter {
  readonly sparing = false
  /** Where the next octet goes in the mailbox. */
  at: number
  readonly #redo: OpenFile
  readonly #mailbox: OpenFile
  readonly #segments: { offset: number; length: number }[] = []
  #buffer = Buffer.allocUnsafe(FIRST)
  #filled = 0
  /** The chunk before the buffer, of what is in memory altogether. */
  #full: Buffer<ArrayBuffer> | undefined
  /** The chunk that is being written, and the write. */
  #behind: Buffer<ArrayBuffer> | undefined
  #writing = Promise.resolve()
  /** Octets of the redo file that were handed to the system. */
  #written = 0
  /** Of the octets before the buffer. */
  #sum = 0
  readonly #known = new Map<number, Uint8Array>()
  /** Where the redo file is to be on the disk. */
  readonly #early: EarlyWriting | undefined
  readonly #room: number | undefined

  /** `room`: what a redo file that stays has already. `durable`: it is synced next. */
  constructor(redo: OpenFile, mailbox: OpenFile, start: number, room: number | undefined, durable = false) {
    this.#early = durable ? new EarlyWriting(redo, 0) : undefined
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
  async copy(from: number, to: number, pieces: Pieces): Promise<void> {
    for await (const piece of pieces(from, to)) await this.bytes(piece)
  }
  edited(part: Uint8Array): Promise<void> {
    return this.bytes(part)
  }
  async #more(wanted: number): Promise<void> {
    if (this.#buffer.length < CHUNK) {
      const octets = Math.max(4 * this.#buffer.length, this.#filled + wanted)
      const wider = spareChunks.room(octets)
      this.#buffer.copy(wider, 0, 0, this.#filled)
      this.#buffer = wider
      return
    }
    this.#sum = crc32(this.#buffer, this.#sum)
    this.#filled = 0
    if (this.#full === undefined && this.#written === 0) {
      this.#full = this.#buffer
      this.#buffer = spareChunks.take()
      return
    }
    const free = await this.#freed()
    this.#begin(this.#buffer)
    this.#buffer = free
  }
  /** A chunk of which all is in the redo file. */
  async #freed(): Promise<Buffer<ArrayBuffer>> {
    if (this.#full !== undefined) this.#begin(this.#full)
    this.#full = undefined
    await this.#writing
    this.#early?.wrote(HEAD + this.#written)
    return this.#behind ?? spareChunks.take()
  }
  #begin(chunk: Buffer<ArrayBuffer>): void {
    this.#writing = this.#redo.write([chunk], HEAD + this.#written)
    // Whoever waits for it hears why it failed.
    this.#writing.catch(() => undefined)
    this.#behind = chunk
    this.#written += chunk.length
  }
  /** What it collected is in the redo file, or where it belongs: the memory may be used again. */
  release(): void {
    for (const chunk of [this.#full, this.#behind, this.#buffer]) if (chunk !== undefined) spareChunks.give(chunk)
    this.#full = this.#behind = undefined
    this.#buffer = NOTHING
    this.#filled = 0
  }
  /** It is not to be after all. Nothing is under way any more when it resolves. */
  async drop(): Promise<void> {
    await this.#writing.catch(() => undefined)
    await this.#early?.settled()
    this.release()
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
    if (evidence === 'octets') for (const s of old) parts.push(this.#known.get(s.offset) ?? (await octetsAt(this.#mailbox, s.offset, s.length)))
    else for (const group of neighbours(old)) parts.push(...(await sumsOf(this.#mailbox, group)))
    const last = this.#buffer.subarray(0, this.#filled)
    const payload = this.#full === undefined ? [last] : [this.#full, last]
    const octets = this.#written + payload.reduce((sum, part) => sum + part.length, 0)
    const trailer: Trailer = { kind, device, inode, ...shape, evidence, payload: octets, sum: crc32(last, this.#sum) }
    const text = Buffer.from(JSON.stringify(trailer))
    const tail = Buffer.concat([...parts, text])
    const end = HEAD + trailer.payload + tail.length
    const missing = this.#room !== undefined && end > this.#room && end < MOST_ROOM ? (ROOM - (end % ROOM)) % ROOM : 0
    const head = headOf({ payload: trailer.payload, evidence: tail.length - text.length, trailer: text.length, sum: crc32(tail) })
    const rest = [...payload, tail, Buffer.alloc(missing)].filter((part) => part.length > 0)
    if (inMemory) await this.#redo.write([head, ...rest], 0)
    else {
      await this.#writing
      await this.#redo.write(rest, HEAD + this.#written)
      await this.#redo.write([head], 0)
      await this.#early?.settled()
      this.release()
    }
    return { trailer, payload: inMemory ? payload : undefined, old: evidence === 'octets' ? parts : [] }
  }
}
/** Segments so near to each other are read with what lies between them, up to so many octets. */
const NEAR = 1 << 12
const SPAN = 1 << 18
function* neighbours(list: readonly Segment[]): Generator<readonly Segment[]> {
  let first = 0
  for (let i = 1; i <= list.length; i++) {
    const [begin, before, next] = [list[first], list[i - 1], list[i]]
    if (begin === undefined || before === undefined) return
    const isNear = next !== undefined && next.offset >= before.offset + before.length && next.offset - before.offset - before.length <= NEAR
    if (isNear && next.offset + next.length - begin.offset <= SPAN) continue
    yield list.slice(first, i)
    first = i
  }
}
/** Check sums of each. */
async function sumsOf(file: OpenFile, group: readonly Segment[]): Promise<readonly Buffer[]> {
  const [first, last] = [group[0], group.at(-1)]
  if (first === undefined || last === undefined) return []
  if (group.length === 1) return [await sumsAt(file, first)]
  const there = Buffer.allocUnsafe(last.offset + last.length - first.offset)
  const octets = there.subarray(0, await file.read(there, first.offset))
  return group.map((s) => {
    const sums = [...pieces(s.offset, s.offset + s.length)].map(([from, to]) => crc32(octets.subarray(from - first.offset, to - first.offset)))
    const out = Buffer.allocUnsafe(4 * sums.length)
    for (const [i, sum] of sums.entries()) out.writeUInt32LE(sum, 4 * i)
    return out
  })
}
async function sumsAt(file: OpenFile, s: Segment): Promise<Buffer> {
  const sums: number[] = []
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK, s.length))
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
