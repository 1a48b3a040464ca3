import { textOf, type Fields } from './dialect.js'

/** Ten digits of keywords and two of flags, octal. */
export const OCTAL_FIELDS = 12
const KEYWORD_DIGITS = 10
const KEYWORDS = 30

function octalAt(octets: Uint8Array, at: number, digits: number): number {
  let n = 0
  for (let i = at; i < at + digits; i++) {
    const digit = (octets[i] ?? 0) - 48
    n = n * 8 + (digit >= 0 && digit <= 7 ? digit : Number.NaN)
  }
  return n
}
/** The first keyword has the highest bit. */
function reversed(mask: number): number {
  let out = 0
  for (let bit = 0; bit < KEYWORDS; bit++) if ((mask & (1 << bit)) !== 0) out |= 1 << (KEYWORDS - 1 - bit)
  return out >>> 0
}

/** Fields as TOPS-20 had them: no numbers, no names of keywords. */
export function readOctalFields(octets: Buffer, at: number): Fields | 'flags' {
  const [keywords, flags] = [octalAt(octets, at, KEYWORD_DIGITS), octalAt(octets, at + KEYWORD_DIGITS, 2)]
  return Number.isNaN(keywords) || Number.isNaN(flags) ? 'flags' : { keywords: reversed(keywords), flags, uid: 0 }
}
function putOctal(to: Uint8Array, at: number, n: number, digits: number): void {
  for (let i = at + digits - 1, left = n; i >= at; i--, left >>>= 3) to[i] = 48 + (left & 7)
}
export function putOctalFields({ keywords, flags }: Fields, to: Uint8Array): void {
  putOctal(to, 0, reversed(keywords), KEYWORD_DIGITS)
  putOctal(to, KEYWORD_DIGITS, flags, 2)
}
export function writeOctalFields(fields: Fields): string {
  return textOf(OCTAL_FIELDS, putOctalFields, fields)
}
