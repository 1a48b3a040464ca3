/*
 * Names of files are octets, of any kind but NUL and the slash, and mostly UTF-8. In a string an octet that is none stands as U+DC80 to U+DCFF, which are no characters
 * and come from no UTF-8: whatever the disk holds has a name here that leads back to it.
 */

const RAW = 0xdc00
/** A surrogate without its other half. */
const LONE = /[\uD800-\uDFFF]/u
const RAW_OCTET = /([\uDC80-\uDCFF])/u
/** First octets of a sequence (RFC 3629 §4): how long it is, and which octets may be the second. Further ones are 80 to BF. */
const SEQUENCES = [
  { from: 0x00, to: 0x7f, length: 1, second: [0, 0] },
  { from: 0xc2, to: 0xdf, length: 2, second: [0x80, 0xbf] },
  { from: 0xe0, to: 0xe0, length: 3, second: [0xa0, 0xbf] },
  { from: 0xe1, to: 0xec, length: 3, second: [0x80, 0xbf] },
  { from: 0xed, to: 0xed, length: 3, second: [0x80, 0x9f] },
  { from: 0xee, to: 0xef, length: 3, second: [0x80, 0xbf] },
  { from: 0xf0, to: 0xf0, length: 4, second: [0x90, 0xbf] },
  { from: 0xf1, to: 0xf3, length: 4, second: [0x80, 0xbf] },
  { from: 0xf4, to: 0xf4, length: 4, second: [0x80, 0x8f] },
] as const

/** Whether a name of a file is text throughout, which can be shown and written as UTF-8. */
export function isTextName(name: string): boolean {
  return !LONE.test(name)
}
/** The name, or the text with names in it, that these octets of a disk are. Octets that are no UTF-8 are kept, each for itself. */
export function fileNameOf(octets: Uint8Array): string {
  const bytes = Buffer.from(octets.buffer, octets.byteOffset, octets.length)
  const text = bytes.toString('utf8')
  if (!text.includes('\uFFFD')) return text
  let name = ''
  let plain = 0
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceAt(bytes, at)
    if (length === 0) {
      name += bytes.toString('utf8', plain, at) + String.fromCharCode(RAW + (bytes[at] ?? 0))
      plain = at + 1
    }
    at += Math.max(1, length)
  }
  return name + bytes.toString('utf8', plain)
}
/** Octets of the character that begins there; 0 where none does. */
function sequenceAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0
  const found = SEQUENCES.find(({ from, to }) => first >= from && first <= to)
  if (found === undefined) return 0
  for (let i = 1; i < found.length; i++) {
    const [low, high] = i === 1 ? found.second : [0x80, 0xbf]
    const octet = bytes[at + i] ?? 0
    if (octet < low || octet > high) return 0
  }
  return found.length
}
/** The octets back. */
export function fileNameOctets(name: string): Uint8Array {
  if (isTextName(name)) return Buffer.from(name)
  return Buffer.concat(name.split(RAW_OCTET).map((part, i) => (i % 2 === 1 ? Buffer.of(part.charCodeAt(0) - RAW) : Buffer.from(part))))
}
