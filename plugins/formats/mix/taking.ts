import { MailError, type OpenFile, type Rows, type TakenMessage } from 'mailwright/api'
import { readSmall } from '../shared/small-read.js'
import { SpareChunks } from '../shared/spare-chunks.js'
import { placeOf, type Place } from './columns.js'
import type { DataWriter } from './data-writer.js'
import type { MixFolder } from './folder.js'
import { putDataRecord } from './put-records.js'
import { DATA_OCTETS, isDataRecord, type DataRecord } from './records.js'

/** Octets of one read: a data file of the usual size, also one that ended with a large delivery. */
const RUN = 3 << 19
const ROOMS = 3
/** Octets of one read of a large message. */
const LARGE = 1 << 18
/** Messages no further apart are fetched by one read. */
const NEAR = 1 << 14
const spareRooms = new SpareChunks(RUN)

/** A message that lies in the data file of another mailbox. */
export interface Lying {
  readonly uid: number
  readonly size: number
  readonly place: Place
}
const NOWHERE: Lying = { uid: 0, size: 0, place: { file: 0, at: 0, internal: 0, header: 0 } }
/** Where messages lie by the rows; undefined when one of them is not there any more. */
export function lyingOf(messages: readonly TakenMessage[], rows: Rows): readonly Lying[] | undefined {
  const out: Lying[] = []
  for (const { uid } of messages) {
    const row = rows.find(uid)
    const place = row === -1 ? undefined : placeOf(rows, row)
    // Records of other sizes, and messages without an octet, are left to whoever reads them.
    const size = rows.size[row] ?? 0
    if (place === undefined || place.internal < DATA_OCTETS || size === 0) return undefined
    out.push({ uid, size, place })
  }
  return out
}

/**
 * Puts messages of another mailbox behind each other, each with a record of its own in front. Their octets are the same in every mailbox of the
 * format, so they go from file to file in large pieces, and records are written over those that were read. While one piece is looked through the next
 * one is read, and the one before it written. Answers where each record begins. The rooms are the caller's, who gives them back when the writer has finished.
 *
 * @throws MailError `vanished` when a message does not lie where it should: it was expunged, or moved to another file
 */
export async function layDown(from: MixFolder, messages: readonly Lying[], record: (index: number) => DataRecord, writer: DataWriter, rooms: Rooms, signal: AbortSignal): Promise<readonly number[]> {
  const starts: number[] = []
  let ahead = readRun(from, messages, 0, rooms, signal)
  for (let run = await ahead; run !== undefined; run = await ahead) {
    ahead = readRun(from, messages, run.next, rooms, signal)
    // Whoever waits for it hears of the failure.
    ahead.catch(() => undefined)
    try {
      if (run.bytes === undefined) starts.push(await layLarge(run.file, messages[run.first], record(run.first), writer, signal))
      else await writer.put(layRun(run.bytes, run, messages, record, writer.at, starts))
    } catch (error) {
      // Nothing is under way in a file that may be closed now.
      await ahead.catch(() => undefined)
      throw error
    }
  }
  return starts
}
/** Each is free again when the two after it were asked for: one is read into, one looked through, one written. */
export class Rooms {
  readonly #all: Buffer<ArrayBuffer>[] = []
  #next = 0
  /** The first may be small only where it is the only one. */
  of(octets: number, isOnly: boolean): Buffer {
    const n = this.#next++ % ROOMS
    return (this.#all[n] ??= spareRooms.room(isOnly ? octets : RUN)).subarray(0, octets)
  }
  /** Nobody reads into them or writes out of them any more. */
  giveBack(): void {
    for (const room of this.#all.splice(0)) spareRooms.give(room)
  }
}
/** What was read of the other mailbox. */
interface ReadRun extends Run {
  readonly file: OpenFile
  /** Undefined for one message that is larger than a room. */
  readonly bytes: Buffer | undefined
}
/** Undefined behind the last message. */
async function readRun(from: MixFolder, messages: readonly Lying[], first: number, rooms: Rooms, signal: AbortSignal): Promise<ReadRun | undefined> {
  if (first === messages.length) return undefined
  const run = runOf(messages, first)
  signal.throwIfAborted()
  const file = await from.data.open(run.number)
  if (file === undefined) throw gone(messages[first]?.uid ?? 0)
  if (run.octets > RUN) return { ...run, file, bytes: undefined }
  const bytes = rooms.of(run.octets, first === 0 && run.next === messages.length)
  return { ...run, file, bytes: bytes.subarray(0, await readSmall(file, bytes, run.at)) }
}
/** Moves messages together, and puts their records in front: what is left of the octets. `to`: where they go. */
function layRun(bytes: Buffer, { at, first, next }: Run, messages: readonly Lying[], record: (index: number) => DataRecord, to: number, starts: number[]): Buffer {
  let end = 0
  for (let i = first; i < next; i++) {
    const { uid, size, place } = messages[i] ?? NOWHERE
    const start = place.at - at
    const text = start + place.internal
    if (text + size > bytes.length || !isDataRecord(bytes, start, uid, size)) throw gone(uid)
    // Never upwards, since no record is smaller than the new one.
    if (end + DATA_OCTETS < text) bytes.copyWithin(end + DATA_OCTETS, text, text + size)
    putDataRecord(bytes, end, record(i))
    starts.push(to + end)
    end += DATA_OCTETS + size
  }
  return bytes.subarray(0, end)
}
/** One that is larger than a piece. */
async function layLarge(file: OpenFile, m: Lying = NOWHERE, record: DataRecord, writer: DataWriter, signal: AbortSignal): Promise<number> {
  const { uid, size, place } = m
  const start = writer.at
  const head = Buffer.allocUnsafe(place.internal)
  if ((await file.read(head, place.at)) < head.length || !isDataRecord(head, 0, uid, size)) throw gone(uid)
  await writer.record(record)
  for (let done = 0; done < size; ) {
    signal.throwIfAborted()
    const part = Math.min(LARGE, size - done)
    if ((await file.read(await writer.space(part), place.at + place.internal + done)) < part) throw gone(uid)
    done += part
  }
  return start
}
/** Messages that one read fetches, unless it is a single one that is larger. */
interface Run {
  readonly number: number
  readonly at: number
  readonly octets: number
  readonly first: number
  readonly next: number
}
function runOf(messages: readonly Lying[], first: number): Run {
  const { file, at } = messages[first]?.place ?? NOWHERE.place
  let end = at
  let next = first
  for (; next < messages.length; next++) {
    const m = messages[next]
    if (m === undefined || m.place.file !== file || m.place.at < end || m.place.at - end > NEAR) break
    const to = m.place.at + m.place.internal + m.size
    if (next > first && to - at > RUN) break
    end = to
  }
  return { number: file, at, octets: end - at, first, next }
}
function gone(uid: number): MailError {
  return new MailError('vanished', `message ${uid} does not lie where it did`)
}
