import { isAscii, isUtf8 } from 'node:buffer'
import { asBuffer } from '../octets.js'
import iconv from './iconv.js'
import { decodeHz, decodeIso2022 } from './iso2022.js'
import { canonicalCharset } from './names.js'

/** How the octets of a character set relate to ASCII, which decides what can be searched without decoding. */
export type CharsetClass =
  /** Octets below 128 are ASCII characters, always. */
  | 'superset'
  /** The same while no octet is above 127. */
  | 'multibyte'
  /** Octets below 128 may be anything. */
  | 'opaque'

const own: Readonly<Record<string, (octets: Uint8Array) => string>> = {
  'us-ascii': inferText,
  'utf-8': decodeUtf8,
  'hz-gb-2312': decodeHz,
  'iso-2022-jp': decodeIso2022,
  'iso-2022-kr': decodeIso2022,
  'iso-2022-cn': decodeIso2022,
  // What is labelled Latin-1 on the net is windows-1252, which has letters where Latin-1 has controls.
  'iso-8859-1': (octets) => iconv.decode(asBuffer(octets), 'windows-1252'),
  'utf-16': (octets) => decodeWide(octets, 2),
  'utf-32': (octets) => decodeWide(octets, 4),
}
/** Names that the library answers to and that are no character sets. */
const NOT_CHARSETS = new Set(['base64', 'hex', 'binary', 'internal', 'ucs2', 'utf-7-imap', 'utf7imap', 'singlebyte', 'dbcs', 'sbcs'])
const MULTIBYTE = /^(?:shift_?jis|gb|big5|cp9(?:32|36|49|50)|windows-9(?:36|49|50)|euc-kr|johab)/

/** Whether text in this character set can be decoded: what CHARSET of a SEARCH may name. */
export function isCharset(name: string): boolean {
  return decoderOf(canonicalCharset(name)) !== undefined
}

/** Text of octets in a character set; undefined when the set is unknown. Octets that mean nothing become U+FFFD. */
export function decodeCharset(octets: Uint8Array, name: string): string | undefined {
  return decoderOf(canonicalCharset(name))?.(octets)
}

/** Text of octets as well as can be: in the set that is named, or without a known one in what the octets look like. */
export function decodeText(octets: Uint8Array, name: string | undefined): string {
  return (name === undefined ? undefined : decodeCharset(octets, name)) ?? inferText(octets)
}

/** Class of a named set; without a known name that of what `inferText` may choose. */
export function charsetClass(name: string | undefined): CharsetClass {
  if (name === undefined) return 'superset'
  const canonical = canonicalCharset(name)
  let known = classes.get(canonical)
  if (known === undefined) {
    known = /^(?:iso-2022|hz|utf-7|utf-16|utf-32|ucs)/.test(canonical) ? 'opaque' : MULTIBYTE.test(canonical) ? 'multibyte' : 'superset'
    // Names come out of mail: do not keep what somebody may send by the million.
    if (classes.size < 500) classes.set(canonical, known)
  }
  return known
}
const classes = new Map<string, CharsetClass>()

/** Text without a label: ISO-2022-JP when it escapes to Japanese, else UTF-8 when that is what it is, else windows-1252. */
function inferText(octets: Uint8Array): string {
  if (hasJapaneseEscape(octets)) return decodeIso2022(octets)
  return decodeUtf8(octets)
}

/** `ESC $ @`, `ESC $ B` or `ESC $ (`. */
export function hasJapaneseEscape(octets: Uint8Array): boolean {
  const buffer = asBuffer(octets)
  for (let at = buffer.indexOf(0x1b); at !== -1; at = buffer.indexOf(0x1b, at + 1)) {
    const third = buffer[at + 2]
    if (buffer[at + 1] === 0x24 && (third === 0x40 || third === 0x42 || third === 0x28)) return true
  }
  return false
}

function decodeUtf8(octets: Uint8Array): string {
  if (isAscii(octets)) return asBuffer(octets).toString('latin1')
  // Text that is not UTF-8 after all is mostly somebody's Windows text.
  return isUtf8(octets) ? asBuffer(octets).toString('utf8') : iconv.decode(asBuffer(octets), 'windows-1252')
}

const decoders = new Map<string, ((octets: Uint8Array) => string) | undefined>()

function decoderOf(canonical: string): ((octets: Uint8Array) => string) | undefined {
  if (Object.hasOwn(own, canonical)) return own[canonical]
  if (decoders.has(canonical)) return decoders.get(canonical)
  const made = findDecoder(canonical)
  if (decoders.size < 500) decoders.set(canonical, made)
  return made
}

function findDecoder(name: string): ((octets: Uint8Array) => string) | undefined {
  if (!/^[a-z0-9][a-z0-9_.:-]{1,39}$/.test(name) || NOT_CHARSETS.has(name)) return undefined
  if (iconv.encodingExists(name)) return (octets) => iconv.decode(asBuffer(octets), name)
  try {
    const decoder = new TextDecoder(name)
    return (octets) => decoder.decode(octets)
  } catch {
    return undefined
  }
}

/** Big-endian unless a byte order mark says otherwise; what is no character becomes U+FFFD. */
function decodeWide(octets: Uint8Array, width: 2 | 4): string {
  const little = octets[0] === 0xff && octets[1] === 0xfe
  const whole = asBuffer(octets.subarray(0, octets.length - (octets.length % width)))
  return iconv.decode(whole, `utf-${width * 8}${little ? 'le' : 'be'}`)
}
