import { MailError, type OpenFile, type Rows, type TakenMessage } from 'mailwright/api'
import { placeOf, type Place } from './columns.js'
import { PIECE, type DataWriter } from './data-writer.js'
import type { MixFolder } from './folder.js'
import { putDataRecord } from './put-records.js'
import { DATA_OCTETS, isDataRecord, type DataRecord } from './records.js'

/** Octets of one read of a large message. */
const LARGE = 1 << 18
/** Messages no further apart are fetched by one read. */
const NEAR = 1 << 14

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
 * format, so they go from file to file in large pieces, and a record that takes as much room as the new one is written over where it was read.
 * Answers where each record begins.
 *
 * @throws MailError `vanished` when a message does not lie where it should: it was expunged, or moved to another file
 */
export async function layDown(from: MixFolder, messages: readonly Lying[], record: (index: number) => DataRecord, writer: DataWriter, signal: AbortSignal): Promise<readonly number[]> {
  const starts: number[] = []
  for (let first = 0; first < messages.length; ) {
    const run = runOf(messages, first)
    signal.throwIfAborted()
    const file = await from.data.open(run.file)
    if (file === undefined) throw gone(messages[first]?.uid ?? 0)
    const some = messages.slice(first, run.next)
    const recordOf = (i: number): DataRecord => record(first + i)
    if (run.octets > PIECE) starts.push(await layLarge(file, some[0], record(first), writer, signal))
    else starts.push(...(await (run.tight ? layTight : layScattered)(file, run, some, recordOf, writer)))
    first = run.next
  }
  return starts
}
/** As they lie. */
async function layTight(file: OpenFile, { at, octets }: Run, messages: readonly Lying[], record: (index: number) => DataRecord, writer: DataWriter): Promise<number[]> {
  const bytes = await writer.space(octets)
  const begin = writer.at - octets
  const got = await file.read(bytes, at)
  return messages.map((m, i) => {
    const start = m.place.at - at
    mustLie(bytes.subarray(0, got), start, m)
    putDataRecord(bytes, start, record(i))
    return begin + start
  })
}
/** Without what lies between them. */
async function layScattered(file: OpenFile, { at, octets }: Run, messages: readonly Lying[], record: (index: number) => DataRecord, writer: DataWriter): Promise<number[]> {
  const bytes = Buffer.allocUnsafe(octets)
  const got = await file.read(bytes, at)
  const starts: number[] = []
  for (const [i, m] of messages.entries()) {
    const start = m.place.at - at
    mustLie(bytes.subarray(0, got), start, m)
    starts.push(writer.at)
    await writer.record(record(i))
    await writer.add(bytes.subarray(start + m.place.internal, start + m.place.internal + m.size))
  }
  return starts
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
  readonly file: number
  readonly at: number
  readonly octets: number
  readonly next: number
  /** They follow each other, with records of the usual size. */
  readonly tight: boolean
}
function runOf(messages: readonly Lying[], first: number): Run {
  const { file, at } = messages[first]?.place ?? NOWHERE.place
  let end = at
  let tight = true
  let next = first
  for (; next < messages.length; next++) {
    const m = messages[next]
    if (m === undefined || m.place.file !== file || m.place.at < end || m.place.at - end > NEAR) break
    const to = m.place.at + m.place.internal + m.size
    if (next > first && to - at > PIECE) break
    tight &&= m.place.at === end && m.place.internal === DATA_OCTETS
    end = to
  }
  return { file, at, octets: end - at, next, tight }
}
/** @throws MailError `vanished` */
function mustLie(bytes: Buffer, start: number, { uid, size, place }: Lying): void {
  if (start + place.internal + size > bytes.length || !isDataRecord(bytes, start, uid, size)) throw gone(uid)
}
function gone(uid: number): MailError {
  return new MailError('vanished', `message ${uid} does not lie where it did`)
}
