import type { OpenFile } from 'mailwright/api'

/** Single octets of a mailbox file, ascending by place. */
export interface Octets {
  readonly at: Float64Array
  readonly octets: Uint8Array
}

/** Two that are no further apart are on pages of the disk that are written anyway. */
const NEAR = 4096
/** Octets of one write. */
const SPAN = 1 << 18

/**
 * Writes them. With `locked`, nobody else writes to the file meanwhile: neighbours then go in one write with what stands between them, which a
 * crash leaves as it is, whichever sectors reach the disk.
 */
export async function writeOctetsTo(file: OpenFile, { at, octets }: Octets, locked: boolean): Promise<void> {
  let room: Buffer | undefined
  for (let first = 0; first < at.length; ) {
    const next = locked ? endOfSpan(at, first) : first + 1
    const from = at[first] ?? 0
    const span = next - first === 1 ? octets.subarray(first, next) : (room ??= Buffer.allocUnsafe(SPAN)).subarray(0, (at[next - 1] ?? 0) - from + 1)
    if (next - first > 1 && (await file.read(span, from)) < span.length) throw new Error(`${file.path} ended before ${from + span.length}`)
    for (let n = first; n < next; n++) span[(at[n] ?? 0) - from] = octets[n] ?? 0
    await file.write([span], from)
    first = next
  }
}
/** Index behind the last octet that goes with the first. */
function endOfSpan(at: Float64Array, first: number): number {
  const from = at[first] ?? 0
  let next = first + 1
  while (next < at.length && (at[next] ?? 0) - (at[next - 1] ?? 0) <= NEAR && (at[next] ?? 0) - from < SPAN) next++
  return next
}
