import { MailError, uids, type MessageBytes, type StoredMessage, type UidSet, type Wants } from 'mailwright/api'
import { KERNEL_ROOM, lineKernel } from 'mailwright/toolkit'
import { depthOf } from '../read-depth.js'
import { WholeBytes } from '../whole-bytes.js'
import { PlainTarget, usualHeader, visibleHeader, type Target } from './client-header.js'
import type { Ahead, Opened } from './kept-file.js'
import { FORM, type Layout } from './layout.js'
import { LongBytes } from './long-bytes.js'
import { agrees, type Readable } from './readable.js'

/** Messages up to this size are handed out whole. */
const INLINE = 1 << 16
/** Octets of one read, and how far apart two messages may be for one read to fetch both. */
const BATCH = 1 << 20
const NEAR = 1 << 16
/** Read at once when messages are asked for one by one, in their order. */
const AHEAD = 1 << 17
/** So many messages of one batch at most, when only their headers are wanted. */
const MANY = 1000
/** A file that is rewritten all the time cannot be read without the locks. */
const TRIES = 5

const NOTHING = Buffer.alloc(0)

/** Messages of the set in ascending batches. One that is gone is left out. */
export async function* readMessages(box: Readable, set: UidSet, wants: Wants, signal: AbortSignal): AsyncGenerator<readonly StoredMessage[]> {
  const depth = depthOf(wants)
  if (depth === 'none') {
    yield* nothingRead(box, set)
    return
  }
  const reader = new Reader(box, depth === 'header')
  let fetching: Promise<Fetched | undefined> | undefined
  try {
    for (let next: number | undefined = 1; next !== undefined; ) {
      signal.throwIfAborted()
      const fetched: Fetched | undefined = await (fetching ?? reader.fetch(set, next))
      fetching = undefined
      if (fetched === undefined) return
      const messages = reader.convert(fetched)
      if (messages === undefined) {
        await reader.lookAnew()
        continue
      }
      next = fetched.next
      if (next !== undefined) {
        // While these are on their way to the client.
        fetching = reader.fetch(set, next)
        fetching.catch(() => undefined)
      }
      yield messages
    }
  } finally {
    await fetching?.catch(() => undefined)
    await reader.close()
  }
}

/** Only columns and facts were wanted, yet somebody may ask for octets after all. */
async function* nothingRead(box: Readable, set: UidSet): AsyncGenerator<readonly StoredMessage[]> {
  const layout = box.layout()
  let batch: StoredMessage[] = []
  for (const i of indices(layout, set, 1)) {
    const uid = layout.at(i, layout.uid)
    batch.push({ uid, headerSize: layout.at(i, layout.header), bytes: new LateBytes(box, uid, layout.at(i, layout.size)) })
    if (batch.length === MANY) {
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}

/** Indices of the set's messages from a uid on. */
function* indices(layout: Layout, set: UidSet, from: number): Generator<number> {
  const { ranges } = set
  for (let r = 0; r + 1 < ranges.length; r += 2) {
    const last = ranges[r + 1] ?? 0
    if (last < from) continue
    for (let i = layout.firstFrom(Math.max(from, ranges[r] ?? 0)); i < layout.count && layout.at(i, layout.uid) <= last; i++) yield i
  }
}

/** Messages that one read fetches, and where in the buffer it puts them. */
interface Run {
  readonly from: number
  readonly size: number
  readonly at: number
  readonly places: readonly number[]
}
const PARALLEL = 8

/** Octets that were found to be those of the layout. */
interface Fetched {
  readonly layout: Layout
  readonly buffer: Buffer
  readonly runs: readonly Run[]
  /** Where to go on; undefined at the end. */
  readonly next: number | undefined
}

class Reader {
  readonly #box: Readable
  readonly #headOnly: boolean
  #opened: Opened | undefined
  /** Found by looking at the file, when the mailbox's own layout is out of date. */
  #found: Layout | undefined
  /** Read along with a message, and not yet known to be good. */
  #next: Ahead | undefined
  #tries = 0
  /** Filled by a fetch, used up by its conversion. */
  #buffer = NOTHING
  #made = NOTHING
  #taken = 0

  constructor(box: Readable, headOnly: boolean) {
    this.#box = box
    this.#headOnly = headOnly
  }

  /** Octets of the next messages; read again where the file changed in between. Undefined when there are no more. */
  async fetch(set: UidSet, from: number): Promise<Fetched | undefined> {
    for (;;) {
      const layout = await this.#ready()
      if (layout === undefined) return undefined
      const picked = this.#pick(layout, set, from)
      if (picked.places.length === 0) return undefined
      const runs = this.#runsOf(layout, picked.places)
      const ahead = this.#readAhead(runs)
      if (ahead !== undefined) return { layout, buffer: ahead, runs, next: picked.next }
      const buffer = await this.#read(runs)
      if (buffer !== undefined && (await this.#unchanged(layout))) return { layout, buffer, runs, next: picked.next }
      await this.lookAnew()
    }
  }
  /** One message, undefined when it is gone. */
  async one(uid: number): Promise<MessageBytes | undefined> {
    for (;;) {
      const fetched = await this.fetch(uids.one(uid), uid)
      if (fetched === undefined) return undefined
      const messages = this.convert(fetched)
      if (messages !== undefined) return messages[0]?.bytes
      await this.lookAnew()
    }
  }
  /** The file, and where its messages are. Whether it is as the layout says is seen after reading. */
  async #ready(): Promise<Layout | undefined> {
    const { files, path, kept } = this.#box
    if (this.#found === undefined && this.#box.state() === undefined) {
      await this.#box.settled()
      if (this.#box.state() === undefined) this.#found = await this.#box.relocate()
    }
    const inode = this.#found === undefined ? this.#box.state()?.inode : (await files.stat(path))?.inode
    if (inode === undefined) return undefined
    if (this.#opened?.inode !== inode) {
      await this.#giveBack()
      this.#opened = await kept.take(inode)
      if (this.#opened === undefined) return undefined
    }
    return this.#found ?? this.#box.layout()
  }
  /** What was read is what the layout describes: nothing was moved before or meanwhile. */
  async #unchanged(layout: Layout): Promise<boolean> {
    const [stat] = await Promise.all([this.#box.files.stat(this.#box.path), this.#opened?.known])
    if (stat?.inode !== this.#opened?.inode) return false
    if (this.#found !== undefined) return true
    if (this.#box.layout() !== layout || !(await agrees(this.#box, stat))) return false
    if (this.#next !== undefined && this.#opened !== undefined) this.#opened.ahead = this.#next.state === this.#box.state() ? this.#next : undefined
    this.#next = undefined
    return true
  }
  /** Something else stands where a message should: looks where things are now. */
  async lookAnew(): Promise<void> {
    if (++this.#tries >= TRIES) throw new MailError('unavailable', `${this.#box.path} is rewritten again and again`)
    const before = this.#box.layout()
    await this.#box.settled()
    if (!(await agrees(this.#box, await this.#box.files.stat(this.#box.path)))) this.#found = await this.#box.relocate()
    else if (this.#found !== undefined || this.#box.layout() !== before) this.#found = undefined
    else this.#found = await this.#box.relocate()
  }

  /** Messages whose octets come out of few large reads. */
  #pick(layout: Layout, set: UidSet, from: number): { places: number[]; next: number | undefined } {
    const places: number[] = []
    let octets = 0
    let last = 0
    for (const i of indices(layout, set, from)) {
      if (places.length > 0 && (octets >= BATCH || places.length >= MANY)) return { places, next: layout.at(i, layout.uid) }
      if (this.#found !== undefined && !this.#asKnown(layout, i)) continue
      const offset = layout.at(i, layout.offset)
      places.push(i)
      // What is read through to the next counts as well.
      octets += this.#wanted(layout, i) + (offset - last > NEAR || offset < last ? 0 : offset - last)
      last = offset + this.#wanted(layout, i)
    }
    return { places, next: undefined }
  }
  /** Messages never change; another size under the same number is something else, or a part. */
  #asKnown(layout: Layout, i: number): boolean {
    const known = this.#box.layout()
    const k = known.find(layout.at(i, layout.uid))
    return k >= 0 && known.size[k] === layout.size[i]
  }
  #wanted(layout: Layout, i: number): number {
    const head = layout.at(i, layout.head)
    return this.#headOnly || layout.at(i, layout.size) > INLINE ? head : layout.at(i, layout.length)
  }

  #runsOf(layout: Layout, places: readonly number[]): Run[] {
    const runs: Run[] = []
    let room = 0
    for (let first = 0; first < places.length; ) {
      const from = layout.at(places[first] ?? 0, layout.offset)
      let after = first
      let end = from
      while (after < places.length) {
        const i = places[after] ?? 0
        const offset = layout.at(i, layout.offset)
        const stop = offset + this.#wanted(layout, i)
        if (after > first && (offset > end + NEAR || offset < end || stop - from > KERNEL_ROOM)) break
        end = stop
        after++
      }
      runs.push({ from, size: end - from, at: room, places: places.slice(first, after) })
      room += end - from
      first = after
    }
    return runs
  }
  /** Undefined when the file ends too early. */
  async #read(runs: readonly Run[]): Promise<Buffer | undefined> {
    const [only] = runs
    if (runs.length === 1 && only?.places.length === 1 && only.size <= AHEAD / 2) return this.#readOne(only)
    const room = runs.reduce((sum, run) => sum + run.size, 0)
    if (this.#buffer.length < room) this.#buffer = Buffer.allocUnsafe(room)
    const buffer = this.#buffer
    // Several reads at once keep the disk busy, and the other way round.
    const read = async (run: Run): Promise<boolean> => ((await this.#opened?.file.read(buffer.subarray(run.at, run.at + run.size), run.from)) ?? 0) === run.size
    for (let n = 0; n < runs.length; n += PARALLEL) {
      const got = await Promise.all(runs.slice(n, n + PARALLEL).map(read))
      if (got.includes(false)) return undefined
    }
    return buffer
  }
  /**
   * A message that was read along with the one before. It needs no second look at the file: it was found to be the one of this layout, and messages
   * do not change.
   */
  #readAhead([only, ...more]: readonly Run[]): Buffer | undefined {
    const ahead = this.#opened?.ahead
    if (ahead === undefined || only === undefined || more.length > 0 || ahead.state !== this.#box.state() || this.#found !== undefined) return undefined
    if (only.from < ahead.from || only.from + only.size > ahead.from + ahead.bytes.length) return undefined
    if (this.#opened !== undefined) this.#opened.lastEnd = only.from + only.size
    return ahead.bytes.subarray(only.from - ahead.from)
  }
  /** One message; of what follows some is taken along when the one before was asked for just now. */
  async #readOne({ from, size }: Run): Promise<Buffer | undefined> {
    const opened = this.#opened
    const state = this.#box.state()
    if (opened === undefined) return undefined
    const { lastEnd } = opened
    opened.lastEnd = from + size
    const isNext = lastEnd >= 0 && from >= lastEnd && from - lastEnd <= NEAR
    const bytes = Buffer.allocUnsafe(isNext && state !== undefined ? Math.max(size, Math.min(AHEAD, state.size - from)) : size)
    // Mostly it is in memory.
    const got = opened.file.readSomeNow?.(bytes, from) ?? (await opened.file.read(bytes, from))
    if (got < size) return undefined
    // Others may use it when it was found to be unchanged.
    this.#next = bytes.length > size && state !== undefined && this.#found === undefined ? { state, from, bytes: bytes.subarray(0, got) } : undefined
    return bytes
  }

  /** The messages of what was fetched, valid until the next call; undefined when something else stands where a message should. */
  convert({ layout, buffer, runs }: Fetched): readonly StoredMessage[] | undefined {
    const out: StoredMessage[] = []
    this.#taken = 0
    for (const run of runs) if (!this.#convert(layout, buffer, run.places, run.from - run.at, out)) return undefined
    this.#tries = 0
    return out
  }
  #convert(layout: Layout, buffer: Buffer, places: readonly number[], start: number, out: StoredMessage[]): boolean {
    let room = 0
    for (const i of places) room += this.#whole(layout, i) ? layout.at(i, layout.size) : layout.at(i, layout.header)
    const into = this.#room(room)
    let to = 0
    let done = 0
    while (done < places.length) {
      // As much as the kernel takes at once; a longer header goes the plain way.
      const from = layout.at(places[done] ?? 0, layout.offset) - start
      let last = done
      let end = from
      while (last < places.length) {
        const i = places[last] ?? 0
        const stop = layout.at(i, layout.offset) - start + this.#wanted(layout, i)
        if (stop - from > KERNEL_ROOM) break
        end = stop
        last++
      }
      const kernel = last > done ? lineKernel() : undefined
      const stopAt = Math.max(last, done + 1)
      kernel?.load(buffer.subarray(from, end))
      let made = 0
      for (; done < stopAt; done++) {
        const i = places[done] ?? 0
        const head = layout.at(i, layout.head)
        const at = layout.at(i, layout.offset) - start
        const size = this.#whole(layout, i) ? layout.at(i, layout.size) : layout.at(i, layout.header)
        const text = this.#whole(layout, i) ? layout.at(i, layout.length) - head : 0
        const target = kernel === undefined ? new PlainTarget(buffer, into, to) : kernel
        const origin = kernel === undefined ? 0 : from
        const header = this.#header(layout, buffer, i, at, target, origin, made)
        if (header < 0 || to + made + size > room) return false
        if (text > 0 && target.convert(at + head - origin, at + head + text - origin, header) !== made + size) return false
        if (text === 0 && header !== made + size) return false
        out.push(this.#message(layout, i, into.subarray(to + (kernel === undefined ? 0 : made), to + (kernel === undefined ? 0 : made) + size)))
        if (kernel === undefined) to += size
        else made += size
      }
      if (kernel !== undefined) {
        if (to + made > into.length) return false
        into.set(kernel.result(0, made), to)
        to += made
      }
    }
    return true
  }
  /** Index after the converted header, -1 when it is not the one that the layout says. */
  #header(layout: Layout, buffer: Buffer, i: number, at: number, target: Target, origin: number, made: number): number {
    const end = at + layout.at(i, layout.head)
    const expected = made + layout.at(i, layout.header)
    if (layout.has(i, FORM.canonical) && usualHeader(this.#box.dialect, buffer, at, end, target, origin, made) === expected) return expected
    return visibleHeader(this.#box.dialect, buffer, at, end, target, origin, made) === expected ? expected : -1
  }
  #message(layout: Layout, i: number, octets: Buffer): StoredMessage {
    const uid = layout.at(i, layout.uid)
    const size = layout.at(i, layout.size)
    const headerSize = layout.at(i, layout.header)
    return { uid, headerSize, bytes: this.#whole(layout, i) ? new WholeBytes(octets) : new LongBytes(this.#box, uid, size, octets) }
  }
  /** Handed out once per batch: what is in it counts until the next one is pulled. */
  #room(octets: number): Buffer {
    if (this.#made.length - this.#taken < octets) {
      this.#made = Buffer.allocUnsafe(Math.max(octets, Math.min(BATCH, 2 * octets)))
      this.#taken = 0
    }
    const part = this.#made.subarray(this.#taken, this.#taken + octets)
    this.#taken += octets
    return part
  }
  #whole(layout: Layout, i: number): boolean {
    return !this.#headOnly && layout.at(i, layout.size) <= INLINE
  }

  async #giveBack(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    if (opened !== undefined) await this.#box.kept.release(opened)
  }
  async close(): Promise<void> {
    await this.#giveBack()
  }
}

/** A message of which nothing was read yet. */
class LateBytes implements MessageBytes {
  readonly size: number
  readonly #box: Readable
  readonly #uid: number
  #bytes: MessageBytes | undefined
  constructor(box: Readable, uid: number, size: number) {
    this.#box = box
    this.#uid = uid
    this.size = size
  }
  async read(at: number, into: Uint8Array, signal: AbortSignal): Promise<number> {
    if (this.#bytes === undefined) {
      const reader = new Reader(this.#box, false)
      try {
        this.#bytes = await reader.one(this.#uid)
      } finally {
        await reader.close()
      }
    }
    if (this.#bytes === undefined) throw new MailError('vanished', `message ${this.#uid} is gone`)
    return this.#bytes.read(at, into, signal)
  }
}
