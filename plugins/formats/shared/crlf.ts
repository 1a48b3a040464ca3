const LF = 10
const CR = 13

/**
 * Writes octets with CRLF line ends: LF becomes CRLF, CR is dropped wherever it stands. `into` must have room; returns
 * the index after the last octet. Lines are copied whole, which is quicker than octet by octet.
 */
export function toCrlf(from: Buffer, start: number, end: number, into: Buffer, at: number): number {
  const part = from.subarray(start, end)
  if (part.indexOf(CR) >= 0) return dropCrs(part, into, at)
  let to = at
  let place = 0
  for (;;) {
    const lf = part.indexOf(LF, place)
    if (lf < 0) return to + part.copy(into, to, place)
    to += part.copy(into, to, place, lf)
    into[to++] = CR
    into[to++] = LF
    place = lf + 1
  }
}
function dropCrs(part: Buffer, into: Buffer, at: number): number {
  let to = at
  for (const c of part) {
    if (c === CR) continue
    if (c === LF) into[to++] = CR
    into[to++] = c
  }
  return to
}
