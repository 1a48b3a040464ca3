import { MailError, uids, type Files, type MessageBytes, type StoredMessage, type UidSet, type Wants } from 'mailwright/api'
import { KERNEL_ROOM, lineKernel } from 'mailwright/toolkit'
import { toCrlf } from '../crlf.js'
import { openingOf, type TextDialect } from './dialect.js'
import { eachVisibleLine } from './header.js'
import type { Ahead, KeptFile, Opened } from './kept-file.js'
import { FORM, type Layout } from './layout.js'
import { compare, type FileState } from './stamp.js'

/** The mailbox as readers see it. */
export interface Readable {
  readonly dialect: TextDialect
  readonly files: Files
  readonly path: string
  readonly kept: KeptFile
  layout(): Layout
  /** What `layout` describes; undefined while it is being changed. */
  state(): FileState | undefined
  /** Waits until an operation under way has ended. */
  settled(): Promise<void>
  /** Looks at the file anew, since another program rewrote it. */
  relocate(): Promise<Layout>
}

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

const LF = 10
const NOTHING = Buffer.alloc(0)

/** Messages of the set in ascending batches. One that is gone is left out. */
export async function* readMessages(box: Readable, set: UidSet, wants: Wants, signal: AbortSignal): AsyncGenerator<readonly StoredMessage[]> {
  if (wants.bytes === 'none' && wants.sections.length === 0) {
    yield* nothingRead(box, set)
    return
  }
  const headOnly = wants.bytes === 'header' && wants.sections.length === 0
  const reader = new Reader(box, headOnly)
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
  #agrees(stat: Parameters<typeof compare>[1]): boolean {
    const state = this.#box.state()
    return state !== undefined && compare(state, stat) !== 'other'
  }
  /** What was read is what the layout describes: nothing was moved before or meanwhile. */
  async #unchanged(layout: Layout): Promise<boolean> {
    const stat = await this.#box.files.stat(this.#box.path)
    if (stat?.inode !== this.#opened?.inode) return false
    if (this.#found !== undefined) return true
    if (this.#box.layout() !== layout || !this.#agrees(stat)) return false
    if (this.#next !== undefined && this.#opened !== undefined) this.#opened.ahead = this.#next.state === this.#box.state() ? this.#next : undefined
    this.#next = undefined
    return true
  }
  /** Something else stands where a message should: looks where things are now. */
  async lookAnew(): Promise<void> {
    if (++this.#tries >= TRIES) throw new MailError('unavailable', `${this.#box.path} is rewritten again and again`)
    const before = this.#box.layout()
    await this.#box.settled()
    if (!this.#agrees(await this.#box.files.stat(this.#box.path))) this.#found = await this.#box.relocate()
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
    const got = await opened.file.read(bytes, from)
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
    return { uid, headerSize, bytes: this.#whole(layout, i) ? new ShortBytes(octets) : new LongBytes(this.#box, uid, size, octets) }
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

/** Where converted octets go: the kernel, or plain memory. */
interface Target {
  convert(start: number, end: number, at: number): number
}
class PlainTarget implements Target {
  readonly #from: Buffer
  readonly #into: Buffer
  readonly #base: number
  constructor(from: Buffer, into: Buffer, base: number) {
    this.#from = from
    this.#into = into
    this.#base = base
  }
  convert(start: number, end: number, at: number): number {
    return toCrlf(this.#from, start, end, this.#into, this.#base + at) - this.#base
  }
}

/** Length of internal lines that fill up to the usual end, less the digits of the number. */
const USUAL_BLOCK = 50 + '\nX-UID: \n'.length

/**
 * Mostly the internal lines stand together at the end of the header and are as long as always: one look finds where they
 * begin. -1 when they are not where they usually are.
 */
function usualHeader(dialect: TextDialect, b: Buffer, from: number, to: number, target: Target, origin: number, at: number): number {
  const start = openingOf(dialect, b, from, to)?.after ?? -1
  if (start < 0) return -1
  for (let digits = 1; digits <= 10; digits++) {
    const block = to - 1 - USUAL_BLOCK - digits
    if (block < start || b[block] !== 83 || b[block - 1] !== LF || !isBlock(b, block, to)) continue
    return target.convert(to - 1 - origin, to - origin, target.convert(start - origin, block - origin, at))
  }
  return -1
}
/**
 * Converts a stored header `b[from, to)` as a client sees it; the target counts from `origin`. Returns the index after it, -1 when
 * it does not begin as a message.
 */
function visibleHeader(dialect: TextDialect, b: Buffer, from: number, to: number, target: Target, origin: number, at: number): number {
  const first = openingOf(dialect, b, from, to)?.after ?? -1
  if (first < 0) return -1
  let out = at
  const head = b.subarray(from, to)
  let start = -1
  let end = first
  // Neighbouring lines are converted together.
  eachVisibleLine(head, first - from, (lineAt, lineEnd) => {
    if (start >= 0 && from + lineAt === end) {
      end = from + lineEnd
      return
    }
    if (start >= 0) out = target.convert(start - origin, end - origin, out)
    start = from + lineAt
    end = from + lineEnd
  })
  if (start >= 0) out = target.convert(start - origin, end - origin, out)
  // The empty line, which a header that ends with the file lacks.
  return b[to - 1] === LF && endsWithEmptyLine(head, first - 1 - from) ? target.convert(to - 1 - origin, to - origin, out) : out
}
/** Whether the lines that a rewrite makes, and no others, stand from here to the end, and no internal line before. */
function isBlock(b: Buffer, at: number, to: number): boolean {
  if (b[to - 2] !== LF || b.compare(STATUS, 0, STATUS.length, at, at + STATUS.length) !== 0) return false
  const status = b.indexOf(LF, at)
  if (b.compare(X_STATUS, 0, X_STATUS.length, status + 1, status + 1 + X_STATUS.length) !== 0) return false
  const xStatus = b.indexOf(LF, status + 1)
  if (b.compare(X_KEYWORDS, 0, X_KEYWORDS.length, xStatus + 1, xStatus + 1 + X_KEYWORDS.length) !== 0) return false
  const keywords = b.indexOf(LF, xStatus + 1)
  return keywords === at + 50 && b.indexOf(LF, keywords + 1) === to - 2
}
const STATUS = Buffer.from('Status: ')
const X_STATUS = Buffer.from('X-Status: ')
const X_KEYWORDS = Buffer.from('X-Keywords:')
function endsWithEmptyLine(head: Buffer, fromEnd: number): boolean {
  let before = head.length - 2
  if (before >= 0 && head[before] === 13) before--
  return before <= fromEnd || head[before] === LF
}

class ShortBytes implements MessageBytes {
  readonly inline: Uint8Array
  constructor(inline: Uint8Array) {
    this.inline = inline
  }
  get size(): number {
    return this.inline.length
  }
  async read(at: number, into: Uint8Array): Promise<number> {
    const part = this.inline.subarray(at, at + into.length)
    into.set(part)
    return part.length
  }
}

/** Octets in the file that one read of a long text takes. */
const PIECE = 1 << 18

/** A long message: its header is at hand, its text is read in pieces, each found again by uid. */
class LongBytes implements MessageBytes {
  readonly size: number
  readonly #box: Readable
  readonly #uid: number
  readonly #header: Uint8Array
  /** A place in the text, as CRLF octets and as octets of the file. */
  #crlfAt = 0
  #storedAt = 0

  constructor(box: Readable, uid: number, size: number, header: Uint8Array) {
    this.#box = box
    this.#uid = uid
    this.size = size
    this.#header = header
  }
  async read(at: number, into: Uint8Array, signal: AbortSignal): Promise<number> {
    let got = 0
    if (at < this.#header.length) {
      const part = this.#header.subarray(at, at + into.length)
      into.set(part)
      got = part.length
    }
    const wanted = Math.min(into.length, this.size - at)
    if (got < wanted) got += await this.#text(at + got - this.#header.length, Buffer.from(into.buffer, into.byteOffset + got, wanted - got), signal)
    return got
  }
  async #text(at: number, into: Buffer, signal: AbortSignal): Promise<number> {
    if (at < this.#crlfAt) this.#crlfAt = this.#storedAt = 0
    const { opened, from, length } = await openMessage(this.#box, this.#uid, this.size, this.#header.length)
    try {
      const piece = Buffer.allocUnsafe(Math.min(PIECE, Math.max(1, length)))
      const crlf = Buffer.allocUnsafe(2 * piece.length)
      let done = 0
      while (done < into.length && this.#storedAt < length) {
        signal.throwIfAborted()
        const n = await opened.file.read(piece.subarray(0, Math.min(piece.length, length - this.#storedAt)), from + this.#storedAt)
        if (n === 0) break
        const made = toCrlf(piece, 0, n, crlf, 0)
        const skip = Math.min(made, Math.max(0, at + done - this.#crlfAt))
        const take = Math.min(made - skip, into.length - done)
        crlf.copy(into, done, skip, skip + take)
        done += take
        // A piece that is used up is left behind; one that is not is converted again by the next read.
        if (skip + take < made) break
        this.#storedAt += n
        this.#crlfAt += made
      }
      return done
    } finally {
      await this.#box.kept.release(opened)
    }
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

/** The text of a message, wherever the message is now; the file is to be given back. */
async function openMessage(box: Readable, uid: number, size: number, headerSize: number): Promise<{ opened: Opened; from: number; length: number }> {
  let layout = box.layout()
  let stat = await box.files.stat(box.path)
  const agrees = (): boolean => {
    const state = box.state()
    return state !== undefined && compare(state, stat) !== 'other'
  }
  if (!agrees()) {
    await box.settled()
    stat = await box.files.stat(box.path)
    layout = agrees() ? box.layout() : await box.relocate()
  }
  const i = layout.find(uid)
  // Texts are never changed in place; another size means another message.
  const opened = i < 0 || layout.at(i, layout.size) !== size || layout.at(i, layout.header) !== headerSize ? undefined : await box.kept.take(stat?.inode ?? 0)
  if (opened === undefined) throw new MailError('vanished', `message ${uid} is gone`)
  const head = layout.at(i, layout.head)
  return { opened, from: layout.at(i, layout.offset) + head, length: layout.at(i, layout.length) - head }
}
