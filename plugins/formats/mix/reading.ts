import { MailError, type MessageBytes, type OpenFile, type Rows, type StoredMessage, type UidSet, type Wants } from 'mailwright/api'
import { WholeBytes } from '../shared/whole-bytes.js'
import { placeOf, type Place } from './columns.js'
import type { MixFolder } from './folder.js'
import { ALONG } from './read-along.js'
import { isDataRecord, parseIndex, type IndexTable } from './records.js'

/** Messages up to this size are handed out whole. */
const INLINE = 1 << 16
/** Octets of the first batch, so that something is on its way soon; of the later ones; how much larger each is than the one before. */
const FIRST = 1 << 17
const BATCH = 1 << 20
const GROWTH = 4
/** How far apart two messages may be for one read to fetch both. */
const NEAR = 1 << 14
/** So many messages of one batch at most. */
const MANY = 1000
/** So few octets are copied while the event loop waits, where they are in memory. */
const AT_ONCE = 1 << 15
/** Reads under way at the same time. */
const PARALLEL = 8

/** A message to be read. */
interface Wanted {
  /** Where the rows had it when it was asked for. */
  readonly row: number
  readonly uid: number
  readonly size: number
  readonly place: Place
  /** Octets to read, the record in front included. */
  readonly octets: number
}
/** Octets that one read fetches, and where in the buffer they go. */
interface Run {
  readonly file: number
  readonly at: number
  length: number
  readonly into: number
  readonly messages: Wanted[]
}

/**
 * Messages of the set in ascending batches; the next one is read while the caller has the last. Each message is known by the record in front of it; one
 * that does not stand where the rows say is looked up in the index, and left out when it is not there any more.
 */
export async function* readMessages(folder: MixFolder, set: UidSet, wants: Wants, rows: Rows, signal: AbortSignal): AsyncGenerator<readonly StoredMessage[]> {
  const octets = wants.bytes !== 'none' || wants.sections.length > 0
  const found = new Relocated(folder, signal)
  const rooms = new Rooms()
  let reading: Promise<readonly StoredMessage[]> | undefined
  try {
    for (const batch of batches(set, wants, rows, octets)) {
      const read = await reading
      reading = octets ? readBatch(folder, batch, rows, found, rooms, signal) : Promise.resolve(batch.map((m) => ({ uid: m.uid, headerSize: m.place.header, bytes: new LateBytes(folder, m, found) })))
      reading.catch(() => undefined)
      if (read !== undefined) yield read
    }
    const last = await reading
    reading = undefined
    if (last !== undefined) yield last
  } finally {
    await reading?.catch(() => undefined)
  }
}
function* batches(set: UidSet, wants: Wants, rows: Rows, octets: boolean): Generator<readonly Wanted[]> {
  const headOnly = wants.bytes === 'header' && wants.sections.length === 0
  let batch: Wanted[] = []
  let room = FIRST
  let sum = 0
  for (const row of eachRow(rows, set)) {
    const place = placeOf(rows, row)
    const size = rows.size[row] ?? 0
    const whole = !headOnly && size <= INLINE
    const length = octets ? place.internal + (whole ? size : Math.min(size, place.header)) : 0
    batch.push({ row, uid: rows.uid[row] ?? 0, size, place, octets: length })
    sum += length
    if (sum < room && batch.length < MANY) continue
    yield batch
    room = Math.min(BATCH, GROWTH * room)
    batch = []
    sum = 0
  }
  if (batch.length > 0) yield batch
}

function* eachRow(rows: Rows, set: UidSet): Generator<number> {
  const { ranges } = set
  let row = 0
  for (let r = 0; r + 1 < ranges.length; r += 2) {
    const [first = 0, last = 0] = [ranges[r], ranges[r + 1]]
    let high = rows.length
    let low = row
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((rows.uid[middle] ?? 0) < first) low = middle + 1
      else high = middle
    }
    for (row = low; row < rows.length && (rows.uid[row] ?? 0) <= last; row++) yield row
  }
}

async function readBatch(folder: MixFolder, batch: readonly Wanted[], rows: Rows, found: Relocated, rooms: Rooms, signal: AbortSignal): Promise<readonly StoredMessage[]> {
  signal.throwIfAborted()
  const { along } = folder.data
  const alone = batch.length === 1 ? batch[0] : undefined
  const known = alone && along.find(alone.place.file, alone.place.at, alone.octets)
  if (alone !== undefined && known !== undefined && isDataRecord(known, 0, alone.uid, alone.size)) return [stored(folder, alone, found, known)]
  return folder.data.reading(signal, async () => {
    const runs = runsOf(batch)
    if (alone !== undefined && along.follows(alone.place.file, alone.place.at, alone.octets)) for (const run of runs) run.length = Math.max(run.length, reach(rows, alone))
    const room = runs.reduce((all, run) => Math.max(all, run.into + run.length), 0)
    // What is read along is kept.
    const buffer = alone === undefined ? rooms.take(room) : Buffer.allocUnsafe(room)
    const missing = new Set<Wanted>()
    for (let n = 0; n < runs.length; n += PARALLEL) {
      await Promise.all(
        runs.slice(n, n + PARALLEL).map(async (run) => {
          const file = await folder.data.open(run.file)
          const got = file === undefined ? 0 : await readRun(file, buffer.subarray(run.into, run.into + run.length), run.at)
          for (const m of run.messages) if (m.place.at - run.at + m.octets > got || !isDataRecord(buffer, run.into + m.place.at - run.at, m.uid, m.size)) missing.add(m)
          if (alone !== undefined && got > alone.octets) along.keep(run.file, run.at, buffer.subarray(0, got))
        }),
      )
    }
    const out: StoredMessage[] = []
    for (const run of runs) {
      for (const m of run.messages) {
        const late = missing.has(m) ? await found.look(m) : undefined
        if (late !== undefined) out.push({ uid: m.uid, headerSize: late.place.header, bytes: new LateBytes(folder, late, found) })
        if (missing.has(m)) continue
        const start = run.into + m.place.at - run.at
        out.push(stored(folder, m, found, buffer.subarray(start, start + m.octets)))
      }
    }
    return out
  })
}
/** Octets from a message to the end of one that follows it, by rows: what stands behind the last of them may still be under way, or come to nothing. */
function reach(rows: Rows, { row, place: from }: Wanted): number {
  let end = from.at
  for (let i = row; i < rows.length; i++) {
    const { file, at, internal } = placeOf(rows, i)
    const stop = at + internal + (rows.size[i] ?? 0)
    if (file !== from.file || at < end || stop - from.at > ALONG) break
    end = stop
  }
  return end - from.at
}
/** A message of which this much was read, the record in front included. */
function stored(folder: MixFolder, m: Wanted, found: Relocated, read: Buffer): StoredMessage {
  const text = read.subarray(m.place.internal)
  return { uid: m.uid, headerSize: m.place.header, bytes: text.length === m.size ? new WholeBytes(text) : new LateBytes(folder, m, found, text) }
}
/** Memory for batches, used again: a caller has one until it asks for the next, which is read meanwhile. */
class Rooms {
  #next = Buffer.alloc(0)
  #other = Buffer.alloc(0)
  take(octets: number): Buffer {
    const room = this.#next.length < octets ? Buffer.allocUnsafe(octets) : this.#next
    this.#next = this.#other
    this.#other = room
    return room
  }
}
/** What little is asked for of a message that came or was read just now is in memory, where a thread would take longer to say so. */
async function readRun(file: OpenFile, into: Buffer, at: number): Promise<number> {
  return into.length <= AT_ONCE && file.readNow?.(into, at) === true ? into.length : file.read(into, at)
}
/** Messages that stand near each other are fetched by one read. */
function runsOf(batch: readonly Wanted[]): Run[] {
  const runs: Run[] = []
  let room = 0
  for (const m of batch) {
    const last = runs.at(-1)
    const end = last === undefined ? 0 : last.at + last.length
    if (last !== undefined && last.file === m.place.file && m.place.at >= end && m.place.at - end <= NEAR) {
      room += m.place.at + m.octets - end
      last.length = m.place.at + m.octets - last.at
      last.messages.push(m)
      continue
    }
    runs.push({ file: m.place.file, at: m.place.at, length: m.octets, into: room, messages: [m] })
    room += m.octets
  }
  return runs
}

/** A message that is read when somebody asks. */
class LateBytes implements MessageBytes {
  readonly size: number
  readonly #folder: MixFolder
  readonly #found: Relocated
  readonly #head: Uint8Array | undefined
  #message: Wanted
  constructor(folder: MixFolder, message: Wanted, found: Relocated, head?: Uint8Array) {
    this.#folder = folder
    this.#message = message
    this.#found = found
    this.#head = head
    this.size = message.size
  }
  async read(at: number, into: Uint8Array, signal: AbortSignal): Promise<number> {
    if (this.#head !== undefined && at < this.#head.length) {
      const part = this.#head.subarray(at, at + into.length)
      into.set(part)
      return part.length
    }
    const length = Math.max(0, Math.min(into.length, this.size - at))
    if (length === 0) return 0
    return this.#folder.data.reading(signal, async () => {
      for (let tries = 0; ; tries++) {
        const { place, uid, size } = this.#message
        const file = await this.#folder.data.open(place.file)
        if (file !== undefined) {
          // Whether it is the one is seen at the same time.
          const [there, got] = await Promise.all([isThere(file, place, uid, size), file.read(into.subarray(0, length), place.at + place.internal + at)])
          if (there && got === length) return got
        }
        if (tries > 0) throw new MailError('corrupt', `message ${uid} is cut short in ${this.#folder.data.path(place.file)}`)
        const now = await this.#found.look(this.#message)
        if (now === undefined) throw new MailError('vanished', `message ${uid} is gone`)
        this.#message = now
      }
    })
  }
}
async function isThere(file: OpenFile, place: Place, uid: number, size: number): Promise<boolean> {
  const record = Buffer.alloc(place.internal)
  return (await readRun(file, record, place.at)) === record.length && isDataRecord(record, 0, uid, size)
}

/** Where messages are by the index, for readers whose rows are out of date. Used while `DataFiles.reading` keeps everybody from moving messages. */
class Relocated {
  readonly #folder: MixFolder
  readonly #signal: AbortSignal
  /** The index of the last time: a hint, since messages may have been moved again between two reads. */
  #table: IndexTable | undefined
  constructor(folder: MixFolder, signal: AbortSignal) {
    this.#folder = folder
    this.#signal = signal
  }
  /** Where a message is that is not where it was; undefined when it is gone. @throws MailError `corrupt` when it should be there and is not. */
  async look(m: Wanted): Promise<Wanted | undefined> {
    const hint = this.#table === undefined ? undefined : placeIn(this.#table, m)
    if (hint !== undefined && (await this.#has(hint, m))) return foundAt(m, hint)
    this.#table = await this.#folder.locked('shared', this.#signal, async (held) => parseIndex(await this.#folder.whole('index', held.index)))
    const place = placeIn(this.#table, m)
    if (place === undefined) return undefined
    if (await this.#has(place, m)) return foundAt(m, place)
    if ((await this.#folder.data.open(place.file)) === undefined) throw new MailError('corrupt', `Missing mix data file: ${this.#folder.data.path(place.file)}`)
    throw new MailError('corrupt', `Error reading mix message header, uid=${m.uid}`)
  }
  async #has(place: Place, { uid, size }: Wanted): Promise<boolean> {
    const file = await this.#folder.data.open(place.file)
    return file !== undefined && isThere(file, place, uid, size)
  }
}
function placeIn(table: IndexTable, { uid, size }: Wanted): Place | undefined {
  const i = table.find(uid)
  if (i < 0 || table.size[i] !== size) return undefined
  return { file: table.file[i] ?? 0, at: table.at[i] ?? 0, internal: table.internal[i] ?? 0, header: table.header[i] ?? 0 }
}
function foundAt(m: Wanted, place: Place): Wanted {
  return { ...m, place, octets: place.internal }
}
