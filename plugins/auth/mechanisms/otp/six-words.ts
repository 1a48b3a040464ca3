import { DICTIONARY } from './dictionary.js'

const VALUES: ReadonlyMap<string, number> = new Map(DICTIONARY.map((word, value) => [word, value]))
const WORDS = 6
const BITS_OF_WORD = 11n
const CHECK_BITS = 2n
const OCTETS = 8

/**
 * The password of six words (RFC 2289, appendix D): 64 bits and two of a check sum; undefined when they are none.
 * Capitals do not matter, nor does how many spaces are between the words.
 */
export function passwordOfWords(text: string): Uint8Array | undefined {
  const words = text.trim().split(/[ \t]+/)
  if (words.length !== WORDS) return undefined
  let bits = 0n
  for (const word of words) {
    const value = VALUES.get(word.toUpperCase())
    if (value === undefined) return undefined
    bits = (bits << BITS_OF_WORD) | BigInt(value)
  }
  const password = Buffer.alloc(OCTETS)
  password.writeBigUInt64BE(bits >> CHECK_BITS)
  return checkOf(password) === (bits & ((1n << CHECK_BITS) - 1n)) ? password : undefined
}

/** The sum of all pairs of bits, of which the last two bits count (RFC 2289). */
function checkOf(password: Uint8Array): bigint {
  let sum = 0
  for (const octet of password) sum += (octet >> 6) + ((octet >> 4) & 3) + ((octet >> 2) & 3) + (octet & 3)
  return BigInt(sum & 3)
}
