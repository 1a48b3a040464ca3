import { MailError, type MessageBytes, type OpenFile, type Rows, type StoredMessage, type UidSet, type Wants } from 'mailwright/api'
import { sayWaits } from '../shared/locks/wait-lines.js'
import { Rooms, type Room } from '../shared/rooms.js'
import { WholeBytes } from '../shared/whole-bytes.js'
import { batches, NEAR, roomOf, runsOf, TIGHT, type Run, type Wanted } from './batches.js'
import { placeOf, type Place } from './columns.js'
import type { MixFolder } from './folder.js'
import { ALONG } from './read-along.js'
import { isDataRecord, parseIndex, type IndexTable } from './records.js'

/** So few octets are copied while the event loop waits, where they are in memory. */
const AT_ONCE = 1 << 15
/** Reads under way at the same time. */
const PARALLEL = 8
/** Scattered pieces are read each for itself where reading through what lies between would fetch so many times as much. */
const WORTH = 2

/**
 * Messages of the set in ascending batches; the next one is read while the caller has the last. Each message is known by the record in front of it; one
 * that does not stand where the rows say is looked up in the index, and left out when it is not there any more. `validity`: the UIDVALIDITY of the rows; what has
 * another now is another mailbox.
 */
export async function* readMessages(folder: MixFolder, validity: () => number, set: UidSet, wants: Wants, rows: Rows, signal: AbortSignal): AsyncGenerator<readonly StoredMessage[]> {
  const octets = wants.bytes !== 'none' || wants.sections.length > 0
  const found = new Relocated(folder, validity, signal)
  const rooms = new Rooms()
  let reading: Promise<readonly StoredMessage[]> | undefined
  try {
    for (const batch of batches(set, wants, rows)) {
      const read = await reading
      reading = octets ? readBatch(folder, batch, rows, found, rooms.next(), signal) : Promise.resolve(batch.map((m) => ({ uid: m.uid, headerSize: m.place.header, bytes: new LateBytes(folder, m, found) })))
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
/** What was read of a batch: octets of each run, as many as the file had. */
interface Fetched {
  readonly runs: readonly Run[]
  readonly buffer: Buffer
  readonly got: readonly number[]
}
async function readBatch(folder: MixFolder, batch: readonly Wanted[], rows: Rows, found: Relocated, room: Room, signal: AbortSignal): Promise<readonly StoredMessage[]> {
  signal.throwIfAborted()
  const alone = batch.length === 1 ? batch[0] : undefined
  const known = alone && folder.data.along.find(alone.place.file, alone.place.at, alone.octets)
  if (alone !== undefined && known !== undefined && isDataRecord(known, 0, alone.uid, alone.size)) return [stored(folder, alone, found, known)]
  return folder.data.reading(signal, batch[0]?.place.file, async () => {
    const { runs, buffer, got } = alone === undefined ? await readSeveral(folder, batch, room) : await readAlone(folder, alone, rows)
    const out: StoredMessage[] = []
    for (const [n, run] of runs.entries()) {
      for (const m of run.messages) {
        const after = m.place.at - run.at + m.octets
        const start = run.into + after - m.octets
        if (after <= (got[n] ?? 0) && isDataRecord(buffer, start, m.uid, m.size)) {
          out.push(stored(folder, m, found, buffer.subarray(start, start + m.octets)))
          continue
        }
        const late = await found.look(m)
        if (late !== undefined) out.push({ uid: m.uid, headerSize: late.place.header, bytes: new LateBytes(folder, late, found) })
      }
    }
    return out
  })
}
/** One message; of what follows some is taken along when the one before was asked for just now. */
async function readAlone(folder: MixFolder, m: Wanted, rows: Rows): Promise<Fetched> {
  const { along } = folder.data
  const { file, at } = m.place
  const length = along.follows(file, at, m.octets) ? Math.max(m.octets, reach(rows, m)) : m.octets
  const buffer = Buffer.allocUnsafe(length)
  const open = await folder.data.open(file)
  const got = open === undefined ? 0 : await readRun(open, buffer, at)
  if (got > m.octets) along.keep(file, at, buffer.subarray(0, got))
  return { runs: [{ file, at, length, into: 0, messages: [m] }], buffer, got: [got] }
}
async function readSeveral(folder: MixFolder, batch: readonly Wanted[], room: Room): Promise<Fetched> {
  const runs = runsOf(batch, NEAR)
  const tight = runsOf(batch, TIGHT)
  const buffer = room.take(roomOf(runs))
  if (roomOf(runs) > WORTH * roomOf(tight) && (await readAtOnce(folder, tight, buffer))) return { runs: tight, buffer, got: tight.map((run) => run.length) }
  const got: number[] = []
  for (let n = 0; n < runs.length; n += PARALLEL) {
    const some = runs.slice(n, n + PARALLEL).map(async (run) => {
      const file = await folder.data.open(run.file)
      return file === undefined ? 0 : readRun(file, buffer.subarray(run.into, run.into + run.length), run.at)
    })
    got.push(...(await Promise.all(some)))
  }
  return { runs, buffer, got }
}
/** Whether all of it was in memory. */
async function readAtOnce(folder: MixFolder, runs: readonly Run[], buffer: Buffer): Promise<boolean> {
  for (const { file, at, length, into } of runs) {
    if (length > AT_ONCE || (await folder.data.open(file))?.readNow?.(buffer.subarray(into, into + length), at) !== true) return false
  }
  return true
}
/** What little is asked for of a message that came or was read just now is in memory, where a thread would take longer to say so. */
async function readRun(file: OpenFile, into: Buffer, at: number): Promise<number> {
  return into.length <= AT_ONCE && file.readNow?.(into, at) === true ? into.length : file.read(into, at)
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
    return this.#folder.data.reading(signal, this.#message.place.file, async () => {
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
  readonly #validity: () => number
  readonly #signal: AbortSignal
  /** The index of the last time: a hint, since messages may have been moved again between two reads. */
  #table: IndexTable | undefined
  constructor(folder: MixFolder, validity: () => number, signal: AbortSignal) {
    this.#folder = folder
    this.#validity = validity
    this.#signal = signal
  }
  /** Where a message is that is not where it was; undefined when it is gone. @throws MailError `corrupt` when it should be there and is not. */
  async look(m: Wanted): Promise<Wanted | undefined> {
    const hint = this.#table === undefined ? undefined : placeIn(this.#table, m)
    if (hint !== undefined && (await this.#has(hint, m))) return foundAt(m, hint)
    this.#table = await this.#folder.locked('shared', this.#signal, sayWaits(undefined), async ({ meta, index }) =>
      meta.validity === this.#validity() ? parseIndex(await this.#folder.whole('index', index)) : undefined,
    )
    const place = this.#table && placeIn(this.#table, m)
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
