/** Decodes a transfer encoding piece by piece. A result is valid until the next call. */
export interface TransferDecoder {
  push(octets: Uint8Array): Uint8Array
  /** What was held back. */
  end(): Uint8Array
  /** Met octets that the encoding does not know; what came before them was passed on, nothing after. */
  readonly failed: boolean
}

const nothing = new Uint8Array(0)
const SKIP = 64
const PAD = 65
const BAD = 66

/** Values of base64's characters; white space is skipped (RFC 2045 §6.8). */
const BASE64 = ((): Uint8Array => {
  const table = new Uint8Array(256).fill(BAD)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  for (let i = 0; i < 64; i++) table[alphabet.charCodeAt(i)] = i
  for (const c of [0x00, 0x09, 0x0a, 0x0c, 0x0d, 0x20]) table[c] = SKIP
  table[0x3d] = PAD
  return table
})()

/** The decoder of an encoding, named in upper case; undefined when octets stand for themselves. Unknown encodings are left as they are. */
export function transferDecoder(encoding: string): TransferDecoder | undefined {
  if (encoding === 'BASE64') return new Base64Decoder()
  if (encoding === 'QUOTED-PRINTABLE') return new QuotedPrintableDecoder()
  return undefined
}

/** Base64; data behind the padding is not looked at. */
export class Base64Decoder implements TransferDecoder {
  #out = nothing
  #bits = 0
  #have = 0
  #done = false
  failed = false

  push(octets: Uint8Array): Uint8Array {
    const room = Math.ceil((octets.length * 3) / 4) + 3
    if (this.#out.length < room) this.#out = new Uint8Array(room)
    const out = this.#out
    let filled = 0
    let bits = this.#bits
    let have = this.#have
    for (let i = 0; i < octets.length && !this.#done; i++) {
      const value = BASE64[octets[i]!]!
      if (value < 64) {
        bits = (bits << 6) | value
        if (++have === 4) {
          out[filled++] = bits >> 16
          out[filled++] = bits >> 8
          out[filled++] = bits
          bits = 0
          have = 0
        }
      } else if (value === PAD) {
        if (have < 2) this.failed = true
        this.#done = true
      } else if (value === BAD) {
        this.failed = true
        this.#done = true
      }
    }
    this.#bits = bits
    this.#have = have
    return out.subarray(0, filled)
  }

  end(): Uint8Array {
    const bits = this.#bits
    const have = this.#have
    this.#have = 0
    if (have === 2) return Uint8Array.of(bits >> 4)
    if (have === 3) return Uint8Array.of(bits >> 10, bits >> 2)
    return nothing
  }
}

/** Quoted-printable (RFC 2045 §6.7): soft breaks vanish, blanks before a line end are dropped, a bad `=xx` stays as it is. */
export class QuotedPrintableDecoder implements TransferDecoder {
  #out = nothing
  #kept: Uint8Array = nothing
  readonly failed = false

  push(octets: Uint8Array): Uint8Array {
    const input = this.#kept.length > 0 ? Buffer.concat([this.#kept, octets]) : octets
    const stop = undecided(input)
    // A copy: `slice` of a Buffer would not be one.
    this.#kept = stop < input.length ? new Uint8Array(input.subarray(stop)) : nothing
    return this.#decode(input, stop, false)
  }

  end(): Uint8Array {
    const rest = this.#kept
    this.#kept = nothing
    return this.#decode(rest, rest.length, true)
  }

  /** Decodes up to `end`; what stands behind it is looked at only. */
  #decode(input: Uint8Array, end: number, last: boolean): Uint8Array {
    if (this.#out.length < end) this.#out = new Uint8Array(end)
    const out = this.#out
    let filled = 0
    let i = 0
    while (i < end) {
      const c = input[i]!
      if (c === 0x3d) {
        const value = hexPair(input[i + 1], input[i + 2])
        if (value !== -1) {
          out[filled++] = value
          i += 3
          continue
        }
        const next = lineEndBehindBlanks(input, i + 1, last)
        if (next !== -1) {
          i = next
          continue
        }
      } else if (c === 0x20 || c === 0x09) {
        let j = i
        while (j < end && (input[j] === 0x20 || input[j] === 0x09)) j++
        if (input[j] === 0x0a || (input[j] === 0x0d && input[j + 1] === 0x0a)) i = j
        else while (i < j) out[filled++] = input[i++]!
        continue
      }
      out[filled++] = c
      i++
    }
    return out.subarray(0, filled)
  }
}

/** From where on a piece cannot be decoded without what follows: a trailing `=`, `=x`, CR or blanks. */
function undecided(input: Uint8Array): number {
  let at = input.length
  if (at > 0 && input[at - 1] === 0x0d) at--
  while (at > 0 && (input[at - 1] === 0x20 || input[at - 1] === 0x09)) at--
  if (at > 0 && input[at - 1] === 0x3d) return at - 1
  if (at > 1 && at === input.length && input[at - 2] === 0x3d) return at - 2
  // A line of nothing but blanks must not gather without end.
  return input.length - at > 4096 ? input.length : at
}

/** Behind the line end that follows at `at`, with blanks before it; the last of the input counts as one. -1 when there is other text. */
function lineEndBehindBlanks(input: Uint8Array, at: number, last: boolean): number {
  let i = at
  while (i < input.length && (input[i] === 0x20 || input[i] === 0x09)) i++
  if (i >= input.length) return last ? i : -1
  if (input[i] === 0x0a) return i + 1
  return input[i] === 0x0d && input[i + 1] === 0x0a ? i + 2 : -1
}

function hexPair(high: number | undefined, low: number | undefined): number {
  const h = hexDigit(high)
  const l = hexDigit(low)
  return h === -1 || l === -1 ? -1 : (h << 4) | l
}
function hexDigit(c: number | undefined): number {
  if (c === undefined) return -1
  if (c >= 0x30 && c <= 0x39) return c - 0x30
  const lower = c | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** All of it at once. Undefined when it does not decode; octets in no encoding come back as they are. */
export function decodeTransfer(octets: Uint8Array, encoding: string): Uint8Array | undefined {
  const decoder = transferDecoder(encoding)
  if (decoder === undefined) return octets
  const body = decoder.push(octets)
  if (decoder.failed) return undefined
  const kept = new Uint8Array(body)
  const tail = decoder.end()
  return tail.length === 0 ? kept : Buffer.concat([kept, tail])
}
