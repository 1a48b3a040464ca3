import { MailError, type Rows, type TakenMessage } from 'mailwright/api'
import { placeOf, type Place } from './columns.js'
import type { DataWriter } from './data-writer.js'
import type { MixFolder } from './folder.js'
import { DATA_OCTETS, isDataRecord } from './records.js'

/** Octets of one read. */
const PIECE = 1 << 20
/** Messages no further apart are fetched by one read. */
const NEAR = 1 << 14

/** A message that lies in the data file of another mailbox. */
export interface Lying {
  readonly uid: number
  readonly size: number
  readonly place: Place
}
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
 * format, so they go from file to file in large pieces. Answers where each record begins.
 *
 * @throws MailError `vanished` when a message does not lie where it should: it was expunged, or moved to another file
 */
export async function layDown(from: MixFolder, messages: readonly Lying[], record: (index: number) => Uint8Array, writer: DataWriter, signal: AbortSignal): Promise<readonly number[]> {
  const starts: number[] = []
  for (let first = 0; first < messages.length; ) {
    const run = runOf(messages, first)
    signal.throwIfAborted()
    const file = await from.data.open(run.file)
    const bytes = Buffer.allocUnsafe(Math.min(PIECE, run.end - run.at))
    const got = file === undefined ? 0 : await file.read(bytes, run.at)
    for (const [i, { uid, size, place }] of messages.slice(first, run.next).entries()) {
      const start = place.at - run.at
      const head = start + place.internal
      if (file === undefined || !isDataRecord(bytes.subarray(0, got), start, uid, size)) throw gone(uid)
      starts.push(writer.at)
      await writer.add(record(first + i))
      await writer.add(bytes.subarray(head, Math.min(head + size, got)))
      // One that is larger than a piece is the only one of its run.
      for (let done = got - head; done < size; ) {
        signal.throwIfAborted()
        const more = Buffer.allocUnsafe(Math.min(PIECE, size - done))
        const n = await file.read(more, place.at + place.internal + done)
        if (n === 0) throw gone(uid)
        await writer.add(more.subarray(0, n))
        done += n
      }
    }
    first = run.next
  }
  return starts
}
/** Messages from `first` on that one piece holds; a larger one alone. */
function runOf(messages: readonly Lying[], first: number): { readonly file: number; readonly at: number; readonly end: number; readonly next: number } {
  const { file, at } = messages[first]?.place ?? { file: 0, at: 0 }
  let end = at
  let next = first
  for (; next < messages.length; next++) {
    const m = messages[next]
    if (m === undefined || m.place.file !== file || m.place.at < end || m.place.at - end > NEAR) break
    const to = m.place.at + m.place.internal + m.size
    if (next > first && to - at > PIECE) break
    end = to
  }
  return { file, at, end, next }
}
function gone(uid: number): MailError {
  return new MailError('vanished', `message ${uid} does not lie where it did`)
}
