/*
 * Mailbox names on the wire (RFC 3501 §5.1.3): printable ASCII stands for itself, `&` is `&-`, everything else is UTF-16BE in base64
 * with `,` for `/`, between `&` and `-`. Names inside the server are decoded.
 */

/** Why octets are no modified UTF-7; the words go to clients. */
export type Utf7Problem = 'mailbox name with 8-bit octet' | 'mailbox name with control character' | 'unterminated modified UTF-7 name' | 'invalid modified UTF-7 name'
/** A name, or what is wrong with it. */
export type Utf7Result = { readonly name: string; readonly problem?: undefined } | { readonly problem: Utf7Problem }

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,'
const AMPERSAND = 0x26
const MINUS = 0x2d
const values = new Int8Array(128).fill(-1)
for (let i = 0; i < 64; i++) values[ALPHABET.charCodeAt(i)] = i

/**
 * Strict: refuses 8-bit and control octets, unfinished runs, base64 of printable ASCII, padding bits, lone surrogates and two runs side by side,
 * so that one name has one spelling.
 */
export function decodeMailboxName(octets: Uint8Array): Utf7Result {
  let name = ''
  let afterRun = false
  for (let i = 0; i < octets.length; i++) {
    const c = octets[i]!
    if (c > 126) return { problem: c === 127 ? 'mailbox name with control character' : 'mailbox name with 8-bit octet' }
    if (c < 32) return { problem: 'mailbox name with control character' }
    if (c !== AMPERSAND) {
      name += String.fromCharCode(c)
      afterRun = false
      continue
    }
    const end = octets.indexOf(MINUS, i)
    if (end < 0) return { problem: 'unterminated modified UTF-7 name' }
    if (end === i + 1) {
      name += '&'
      afterRun = false
    } else {
      const run = afterRun ? undefined : decodeRun(octets, i + 1, end)
      if (run === undefined) return { problem: 'invalid modified UTF-7 name' }
      name += run
      afterRun = true
    }
    i = end
  }
  return { name }
}

function decodeRun(octets: Uint8Array, from: number, end: number): string | undefined {
  let text = ''
  let bits = 0
  let held = 0
  let high = 0
  for (let i = from; i < end; i++) {
    const value = octets[i]! < 128 ? values[octets[i]!]! : -1
    if (value < 0) return undefined
    held = (held << 6) | value
    bits += 6
    if (bits < 16) continue
    bits -= 16
    const unit = (held >>> bits) & 0xffff
    held &= (1 << bits) - 1
    // NUL ends a name for the operating system; other control characters are the mailbox's own affair.
    if (unit === 0 || (unit >= 0x20 && unit <= 0x7e)) return undefined
    const isLow = unit >= 0xdc00 && unit <= 0xdfff
    if ((high !== 0) !== isLow) return undefined
    high = unit >= 0xd800 && unit <= 0xdbff ? unit : 0
    text += String.fromCharCode(unit)
  }
  return bits >= 6 || held !== 0 || high !== 0 || text === '' ? undefined : text
}

/** Modified UTF-7 of a name; a lone surrogate is encoded as it stands. */
export function encodeMailboxName(name: string): string {
  let out = ''
  let plainFrom = 0
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i)
    if (c >= 0x20 && c <= 0x7e && c !== AMPERSAND) continue
    out += name.slice(plainFrom, i)
    if (c === AMPERSAND) out += '&-'
    else {
      const from = i
      while (i + 1 < name.length && !isPrintable(name.charCodeAt(i + 1))) i++
      out += encodeRun(name, from, i + 1)
    }
    plainFrom = i + 1
  }
  return plainFrom === 0 ? name : out + name.slice(plainFrom)
}
function isPrintable(c: number): boolean {
  return c >= 0x20 && c <= 0x7e
}
function encodeRun(name: string, from: number, to: number): string {
  let out = '&'
  let bits = 0
  let held = 0
  for (let i = from; i < to; i++) {
    held = (held << 16) | name.charCodeAt(i)
    bits += 16
    while (bits >= 6) {
      bits -= 6
      out += ALPHABET[(held >>> bits) & 63]
    }
    held &= (1 << bits) - 1
  }
  if (bits > 0) out += ALPHABET[(held << (6 - bits)) & 63]
  return `${out}-`
}
