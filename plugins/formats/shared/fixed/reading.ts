import { MailError, type OpenFile, type Rows, type StoredMessage, type UidSet, type Wants } from 'mailwright/api'
import { toCrlf } from '../crlf.js'
import { CutBytes } from './bytes.js'
import { depthOf, type Depth } from '../read-depth.js'
import { Rooms, type Room } from '../rooms.js'
import { rowsOfSet } from '../rows-of-set.js'
import { WholeBytes } from '../whole-bytes.js'
import type { Place } from './layout.js'
import { clientHeader } from './measure.js'
import { isLineOf, type Readable } from './readable.js'

/** Messages up to this size are handed out whole. */
const INLINE = 1 << 16
/** Octets of the first read, so that something is on its way soon; of the later ones; how much larger each is than the one before. */
const FIRST = 1 << 17
const BATCH = 1 << 20
const GROWTH = 4
/** How far apart two messages may be for one read to fetch both. */
const NEAR = 1 << 14
const MANY = 1000
/** Where a header's end is not known it is looked for within so many octets first. */
const USUAL_HEADER = 1 << 13
const PARALLEL = 8
/** What is in memory is read at once up to so many octets: a way through the event loop costs more. */
const AT_ONCE = 1 << 15
/** A file whose messages are moved all the time. */
const TRIES = 5

/** Messages of the set in ascending batches; the next one is read while the caller has the last. One that is gone is left out. */
export async function* readMessages(box: Readable, set: UidSet, wants: Wants, rows: Rows, signal: AbortSignal): AsyncGenerator<readonly StoredMessage[]> {
  const depth = depthOf(wants)
  const rooms = new Rooms()
  let reading: Promise<readonly StoredMessage[]> | undefined
  try {
    for (const batch of batches(box, set, depth, rows)) {
      const read = await reading
      signal.throwIfAborted()
      reading = readBatch(box, batch, depth, rooms.next())
      reading.catch(() => undefined)
      if (read !== undefined) yield read
    }
    const last = await reading
    reading = undefined
    signal.throwIfAborted()
    if (last !== undefined) yield last
  } finally {
    await reading?.catch(() => undefined)
  }
}
/** Uids of what is to be read together. */
function* batches(box: Readable, set: UidSet, depth: Depth, rows: Rows): Generator<readonly number[]> {
  let batch: number[] = []
  let octets = 0
  let room = FIRST
  let last = 0
  for (const row of rowsOfSet(rows, set)) {
    const uid = rows.uid[row] ?? 0
    const place = box.place(uid)
    if (place === undefined) continue
    const size = wanted(place, depth)
    octets += size + Math.min(NEAR, Math.max(0, place.offset - last))
    last = place.offset + size
    batch.push(uid)
    if (octets < room && batch.length < MANY) continue
    yield batch
    room = Math.min(BATCH, GROWTH * room)
    batch = []
    octets = 0
  }
  if (batch.length > 0) yield batch
}
/** Octets to be read of a message, its line included. */
function wanted({ line, stored, header }: Place, depth: Depth): number {
  if (depth === 'none') return 0
  if (depth === 'whole' && stored <= INLINE) return line + stored
  return line + Math.min(stored, header > 0 ? header : USUAL_HEADER)
}

async function readBatch(box: Readable, list: readonly number[], depth: Depth, memory: Room): Promise<readonly StoredMessage[]> {
  for (let tries = 0; tries < TRIES; tries++) {
    const epoch = box.epoch()
    if (epoch % 2 === 0) {
      const places = list.map((uid) => box.place(uid)).filter((p) => p !== undefined)
      const messages = depth === 'none' ? places.map((p) => unread(box, p)) : ((await box.using((file) => readPlaces(box, file, places, depth, memory))) ?? [])
      if (box.epoch() === epoch) return messages
    }
    await box.settled()
  }
  throw new MailError('unavailable', 'the mailbox is rewritten again and again')
}
/** Only columns and facts were wanted, yet somebody may ask for octets after all. */
function unread(box: Readable, place: Place): StoredMessage {
  return { uid: place.uid, headerSize: place.header, bytes: new CutBytes(box, place.uid, place.size, Buffer.alloc(0)) }
}

/** Messages that one read fetches, and where in the buffer it puts them. */
interface Run {
  readonly from: number
  readonly at: number
  readonly size: number
  readonly places: readonly Place[]
}
function runsOf(places: readonly Place[], depth: Depth): { readonly runs: readonly Run[]; readonly room: number } {
  const runs: Run[] = []
  let room = 0
  for (let first = 0; first < places.length; ) {
    const from = places[first]?.offset ?? 0
    let end = from
    let after = first
    for (let p = places[after]; p !== undefined && (after === first || (p.offset >= end && p.offset <= end + NEAR && end - from < BATCH)); p = places[++after]) end = p.offset + wanted(p, depth)
    runs.push({ from, at: room, size: end - from, places: places.slice(first, after) })
    room += end - from
    first = after
  }
  return { runs, room }
}

async function readPlaces(box: Readable, file: OpenFile, places: readonly Place[], depth: Depth, memory: Room): Promise<readonly StoredMessage[]> {
  const { runs, room } = runsOf(places, depth)
  const buffer = memory.take(room)
  const got: number[] = []
  const [only] = runs
  if (runs.length === 1 && room <= AT_ONCE && only !== undefined && file.readNow?.(buffer, only.from) === true) got.push(room)
  else for (let n = 0; n < runs.length; n += PARALLEL) got.push(...(await Promise.all(runs.slice(n, n + PARALLEL).map((run) => file.read(buffer.subarray(run.at, run.at + run.size), run.from)))))
  const out: StoredMessage[] = []
  for (const [n, run] of runs.entries()) {
    for (const place of run.places) {
      const at = run.at + place.offset - run.from
      const end = Math.min(at + wanted(place, depth), run.at + (got[n] ?? 0))
      const made = messageOf(box, file, place, buffer.subarray(at, Math.max(at, end)), depth)
      const message = (made instanceof Promise ? await made : made) ?? (await readAnew(box, file, place, depth))
      if (message !== undefined) out.push(message)
    }
  }
  return out
}
function messageOf(box: Readable, file: OpenFile, place: Place, octets: Buffer, depth: Depth): StoredMessage | undefined | Promise<StoredMessage> {
  const { dialect } = box
  if (!isLineOf(dialect, place, octets, box.cameMs(place.uid))) return undefined
  const { uid, size, stored } = place
  const text = octets.subarray(place.line)
  if (text.length < stored && place.header === 0) return readLongHeader(box, file, place, text)
  const client = dialect.text === 'as-is' ? text : converted(text)
  if (text.length === stored) return { uid, headerSize: place.header > 0 ? place.header : clientHeader(dialect, text, true), bytes: new WholeBytes(client) }
  if (depth === 'whole' && stored <= INLINE) return undefined
  return { uid, headerSize: place.header, bytes: new CutBytes(box, uid, size, client) }
}
/** A header of unusual length, or of a message that nobody has read yet. */
async function readLongHeader(box: Readable, file: OpenFile, place: Place, begun: Buffer): Promise<StoredMessage> {
  let text = begun
  let header = clientHeader(box.dialect, text, text.length >= place.stored)
  while (header === 0 && text.length < place.stored) {
    const more = Buffer.alloc(Math.min(place.stored - text.length, text.length + USUAL_HEADER))
    const n = await file.read(more, place.offset + place.line + text.length)
    if (n === 0) break
    text = Buffer.concat([text, more.subarray(0, n)])
    header = clientHeader(box.dialect, text, text.length >= place.stored)
  }
  return { uid: place.uid, headerSize: header > 0 ? header : place.size, bytes: new CutBytes(box, place.uid, place.size, box.dialect.text === 'as-is' ? text : converted(text)) }
}
async function readAnew(box: Readable, file: OpenFile, place: Place, depth: Depth): Promise<StoredMessage | undefined> {
  const now = await box.relocate(place.uid)
  if (now === undefined || now.stored !== place.stored) return undefined
  const octets = Buffer.alloc(wanted(now, depth))
  const got = await file.read(octets, now.offset)
  return messageOf(box, file, now, octets.subarray(0, got), depth)
}
/** With CRLF line ends. */
export function converted(text: Buffer): Buffer {
  const into = Buffer.allocUnsafe(2 * text.length)
  return into.subarray(0, toCrlf(text, 0, text.length, into, 0))
}
