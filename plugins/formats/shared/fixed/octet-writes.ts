import type { OpenFile } from 'mailwright/api'

/** Single octets of a mailbox file, ascending by place. */
export interface Octets {
  readonly at: Float64Array
  readonly octets: Uint8Array
}

/** Between two that are no further apart there is at most one page of the disk that need not be written. */
const NEAR = 8192
/** Fewer neighbours are written one by one, which takes less than to read what stands between them. */
const SEVERAL = 4
/** Octets of one write. */
const SPAN = 1 << 18

/**
 * Writes them. With `locked`, nobody else writes to the file meanwhile: several neighbours then go in one write with what stands between them, which a
 * crash leaves as it is, whichever sectors reach the disk.
 */
export async function writeOctetsTo(file: OpenFile, { at, octets }: Octets, locked: boolean): Promise<void> {
  const { length } = at
  // To write what stands between them would undo what others make of it meanwhile.
  if (!locked) return writeEach(file, at, octets, 0, length)
  let room: Buffer | undefined
  /** Those from here on go one by one. */
  let alone = 0
  for (let first = 0; first < length; ) {
    const next = endOfSpan(at, first)
    if (next - first >= SEVERAL) {
      await writeEach(file, at, octets, alone, first)
      const from = at[first] ?? 0
      const span = (room ??= Buffer.allocUnsafe(SPAN)).subarray(0, (at[next - 1] ?? 0) - from + 1)
      if ((await file.read(span, from)) < span.length) throw new Error(`${file.path} ended before ${from + span.length}`)
      for (let n = first; n < next; n++) span[(at[n] ?? 0) - from] = octets[n] ?? 0
      await file.write([span], from)
      alone = next
    }
    first = next
  }
  await writeEach(file, at, octets, alone, length)
}
/** Those from one index up to, not including, another. */
async function writeEach(file: OpenFile, at: Float64Array, octets: Uint8Array, from: number, to: number): Promise<void> {
  if (from === to) return
  if (file.writeOctets !== undefined) return file.writeOctets(at.subarray(from, to), octets.subarray(from, to))
  for (let n = from; n < to; n++) await file.write([octets.subarray(n, n + 1)], at[n] ?? 0)
}
/** Index behind the last octet that goes with the first. */
function endOfSpan(at: Float64Array, first: number): number {
  const from = at[first] ?? 0
  let next = first + 1
  while (next < at.length && (at[next] ?? 0) - (at[next - 1] ?? 0) <= NEAR && (at[next] ?? 0) - from < SPAN) next++
  return next
}
