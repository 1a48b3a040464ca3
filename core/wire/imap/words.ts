import { LIMITS } from '../limits.js'

/** Text of octets, one character each. */
export function latin1(octets: Uint8Array, from: number, to: number): string {
  if (to - from > 24) return Buffer.from(octets.buffer, octets.byteOffset + from, to - from).toString('latin1')
  let text = ''
  for (let i = from; i < to; i++) text += String.fromCharCode(octets[i]!)
  return text
}

// Command names repeat for the life of a server: a small direct-mapped table spares making each again.
const known: string[] = Array.from({ length: 64 }, () => '')

/** A command's name in upper case; what is no printable ASCII becomes `?`, and what is too long is cut. */
export function commandName(octets: Uint8Array, from: number, to: number): string {
  const length = to - from
  if (length === 0 || length > LIMITS.commandName) return madeName(octets, from, Math.min(to, from + LIMITS.commandName))
  const place = (octets[from]! * 5 + octets[to - 1]! * 3 + length * 7) & 63
  const candidate = known[place]!
  if (candidate.length === length) {
    let i = 0
    while (i < length && upper(octets[from + i]!) === candidate.charCodeAt(i)) i++
    if (i === length) return candidate
  }
  const name = madeName(octets, from, to)
  if (length <= 24) known[place] = name
  return name
}
function madeName(octets: Uint8Array, from: number, to: number): string {
  let name = ''
  for (let i = from; i < to; i++) name += String.fromCharCode(upper(octets[i]!))
  return name
}
function upper(c: number): number {
  if (c >= 97 && c <= 122) return c - 32
  return c > 32 && c < 127 ? c : 63
}
