import { crc32 } from 'node:zlib'
import { uids, type FlagChange, type UidSet } from '../../api/index.js'

/**
 * One line of the journal of a mailbox.
 *
 * `head` begins a file; `flags` is a change that was acknowledged and may not be in the mailbox yet; `folded`: all flags before it are;
 * `gone` are removed uids; `open`: mod-sequences up to this one may have been told since the last `high`; `high`: closed in order, with the highest
 * mod-sequence; `moved`: this file is the journal no more.
 */
export type JournalRecord =
  | { readonly t: 'head'; readonly key: string; readonly uidValidity: number; readonly floor: number }
  | { readonly t: 'flags'; readonly u: readonly number[]; readonly h: FlagChange['how']; readonly s: number; readonly k: readonly string[] }
  | { readonly t: 'folded' }
  | { readonly t: 'gone'; readonly m: number; readonly u: readonly number[] }
  | { readonly t: 'open'; readonly m: number }
  | { readonly t: 'high'; readonly m: number }
  | { readonly t: 'moved' }

const FRAME = 8
/** A length beyond this is no length but damage. */
const MAX_RECORD = 64 * 1024 * 1024

/** Length, checksum of the payload, payload. */
export function encodeRecord(record: JournalRecord): Uint8Array {
  const payload = Buffer.from(JSON.stringify(record))
  const out = Buffer.allocUnsafe(FRAME + payload.length)
  out.writeUInt32LE(payload.length, 0)
  out.writeUInt32LE(crc32(payload), 4)
  payload.copy(out, FRAME)
  return out
}
/** Records up to the first that is torn or damaged, and where they end. */
export function decodeRecords(bytes: Uint8Array): { readonly records: readonly JournalRecord[]; readonly end: number } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const records: JournalRecord[] = []
  let at = 0
  while (at + FRAME <= buffer.length) {
    const length = buffer.readUInt32LE(at)
    if (length === 0 || length > MAX_RECORD || at + FRAME + length > buffer.length) break
    const payload = buffer.subarray(at + FRAME, at + FRAME + length)
    if (crc32(payload) !== buffer.readUInt32LE(at + 4)) break
    const record = parse(payload.toString())
    if (record === undefined) break
    records.push(record)
    at += FRAME + length
  }
  return { records, end: at }
}
function parse(text: string): JournalRecord | undefined {
  try {
    const value: unknown = JSON.parse(text)
    // The checksum says that encodeRecord wrote it.
    return typeof value === 'object' && value !== null && 't' in value ? (value as JournalRecord) : undefined
  } catch {
    return undefined
  }
}
export function setOf(pairs: readonly number[]): UidSet {
  return uids.ranges(Uint32Array.from(pairs))
}
export function flagsRecord(change: FlagChange, changed: UidSet): JournalRecord {
  return { t: 'flags', u: [...changed.ranges], h: change.how, s: change.system, k: change.keywords }
}
