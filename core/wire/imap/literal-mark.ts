/** `{5}`, `{5+}`, `~{5}` or `~{5+}` (RFC 3501 §4.3, RFC 7888 §4, RFC 3516 §4.4). */
export interface LiteralMark {
  /** Where `{` or `~{` stands. */
  readonly at: number
  readonly size: number
  readonly sync: boolean
  readonly binary: boolean
}

const OPEN = 0x7b
const CLOSE = 0x7d
const PLUS = 0x2b
const TILDE = 0x7e

/** The announcement of a literal that ends at `stop` and does not begin before `from`; undefined when there is none. A size beyond 2^53-1 is 2^53-1. */
export function parseLiteralMark(octets: Uint8Array, from: number, stop: number): LiteralMark | undefined {
  let at = stop - 1
  if (at < from || octets[at] !== CLOSE) return undefined
  at--
  const sync = octets[at] !== PLUS
  if (!sync) at--
  let size = 0
  let weight = 1
  const digitsEnd = at
  while (at >= from && octets[at]! >= 48 && octets[at]! <= 57) {
    size += (octets[at]! - 48) * weight
    weight *= 10
    at--
  }
  if (at === digitsEnd || at < from || octets[at] !== OPEN) return undefined
  const binary = at > from && octets[at - 1] === TILDE
  return { at: binary ? at - 1 : at, size: Math.min(size, Number.MAX_SAFE_INTEGER), sync, binary }
}
