/*
 * Base64 of SASL exchanges (RFC 4648 §4). Strict, unlike Buffer's: a response that is no base64 fails the exchange instead of
 * being read as something else.
 */

const values = new Int8Array(256).fill(-1)
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
for (let i = 0; i < 64; i++) values[ALPHABET.charCodeAt(i)] = i
const PAD = 0x3d

/** Octets of one line of base64; undefined when its length is no multiple of 4, or a character is foreign, or padding stands elsewhere than at the end. */
export function decodeBase64(line: Uint8Array): Uint8Array | undefined {
  const length = line.length
  if (length % 4 !== 0) return undefined
  if (length === 0) return new Uint8Array(0)
  const padding = line[length - 1] !== PAD ? 0 : line[length - 2] === PAD ? 2 : 1
  const octets = new Uint8Array((length / 4) * 3 - padding)
  let held = 0
  let filled = 0
  for (let i = 0; i < length; i++) {
    const value = i >= length - padding ? 0 : values[line[i]!]!
    if (value < 0) return undefined
    held = (held << 6) | value
    if (i % 4 !== 3) continue
    for (let shift = 16; shift >= 0 && filled < octets.length; shift -= 8) octets[filled++] = (held >>> shift) & 0xff
    held = 0
  }
  return octets
}
/** The initial response of RFC 4959 §3: a lone `=` is an empty one. Undefined: no base64. */
export function decodeInitialResponse(word: Uint8Array): Uint8Array | undefined {
  return word.length === 1 && word[0] === PAD ? new Uint8Array(0) : decodeBase64(word)
}
/** One line, without its end. */
export function encodeBase64(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('base64')
}
