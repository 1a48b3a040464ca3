import { INTERNAL, internalLine } from './internal-lines.js'

const LF = 10
const CR = 13

/** A header without its internal lines. */
export interface FilteredHeader {
  /** Delimiter, From line and visible lines with LF, without the empty line. */
  readonly bytes: Buffer
  /** CRLF octets of the visible lines, without the empty line. */
  readonly visible: number
}

/** Calls back for each line that a client sees, `[start, end)` with its LF if it has one; the From line and the empty line are not among them. */
export function eachVisibleLine(head: Uint8Array, from: number, line: (start: number, end: number) => void): void {
  let at = from
  let internal = false
  while (at < head.length) {
    const lf = head.indexOf(LF, at)
    const end = lf < 0 ? head.length : lf + 1
    const first = head[at]
    if (first === LF || (first === CR && head[at + 1] === LF)) return
    if (first !== 32 && first !== 9) internal = internalLine(head, at, end) !== INTERNAL.none
    if (!internal) line(at, end)
    at = end
  }
}

/** Copies octets without CR; returns the index after them. */
export function copyWithoutCr(from: Uint8Array, start: number, end: number, into: Uint8Array, at: number): number {
  if (from.subarray(start, end).indexOf(CR) < 0) {
    into.set(from.subarray(start, end), at)
    return at + end - start
  }
  let to = at
  for (let i = start; i < end; i++) if (from[i] !== CR) into[to++] = from[i] ?? 0
  return to
}

/** Whether a CR stands there that no LF follows. A line without it may be something else: a From line, the header's end, an internal line. */
export function hasBareCr(octets: Buffer): boolean {
  for (let i = octets.indexOf(CR); i >= 0; i = octets.indexOf(CR, i + 1)) if (octets[i + 1] !== LF) return true
  return false
}

/**
 * The opening and visible lines of a stored header (all octets before the text, of which the opening takes `after`), a last LF supplied. CRs are dropped,
 * except from lines with a bare one, which stay as they are.
 */
export function filterHeader(head: Buffer, after: number): FilteredHeader {
  if (head.indexOf(CR) < 0 && head[head.length - 1] === LF) return filterPlain(head, after)
  const out = Buffer.allocUnsafe(head.length + 3)
  let to = copyWithoutCr(head, 0, after, out, 0)
  if (to > 0 && out[to - 1] !== LF) out[to++] = LF
  let visible = 0
  eachVisibleLine(head, after, (start, end) => {
    const line = head.subarray(start, end)
    const length = copyWithoutCr(line, 0, line.length, out, to) - to
    // The file ends with it.
    if (length === 0) return
    if (hasBareCr(line)) to += line.copy(out, to)
    else to += length
    const ended = line[line.length - 1] === LF
    if (!ended) out[to++] = LF
    visible += length + (ended ? 1 : 2)
  })
  return { bytes: out.subarray(0, to), visible }
}
/** The same for a header in which every line ends with LF alone, as nearly all do: neighbouring lines are copied at once. */
function filterPlain(head: Uint8Array, after: number): FilteredHeader {
  const out = Buffer.allocUnsafe(head.length)
  let from = 0
  let end = after
  let lines = 0
  let to = 0
  eachVisibleLine(head, end, (start, next) => {
    lines++
    if (start !== end) {
      out.set(head.subarray(from, end), to)
      to += end - from
      from = start
    }
    end = next
  })
  out.set(head.subarray(from, end), to)
  to += end - from
  return { bytes: out.subarray(0, to), visible: to - after + lines }
}
