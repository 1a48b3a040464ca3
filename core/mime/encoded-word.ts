import { decodeText } from './charset/decode.js'
import { MIME_LIMITS } from './limits.js'
import { fromLatin1 } from './octets.js'
import { Base64Decoder } from './transfer.js'

/** An encoded word where one may stand: at the start or behind white space, and followed by white space or the end (RFC 2047 §5). */
const WORD = /(^|[ \t\r\n])=\?([^\0-\x20\x7f-\xff()<>@,;:\\"/[\]?.=]+)\?([bq])\?([!->@-~]*)\?=(?=$|[ \t\r\n])/gi

/**
 * Header text as people read it: octets as Latin-1 in, Unicode out. Encoded words are decoded, white space between two of them vanishes; what
 * stands between is UTF-8 if it is that, else guessed. A word that cannot be decoded stays as it is.
 */
export function decodeHeaderText(text: string): string {
  if (!text.includes('=?')) return plain(text)
  let out = ''
  let at = 0
  let left: number = MIME_LIMITS.encodedWords
  WORD.lastIndex = 0
  for (let match = WORD.exec(text); match !== null && left > 0; match = WORD.exec(text)) {
    const [whole, before = '', charset = '', encoding = '', content = ''] = match
    const decoded = whole.length > 500 ? undefined : decodeWord(charset, encoding, content)
    if (decoded === undefined) continue
    const gap = text.slice(at, match.index) + before
    out += left < MIME_LIMITS.encodedWords && /^[ \t\r\n]*$/.test(gap) ? decoded : plain(gap) + decoded
    at = match.index + whole.length
    left--
  }
  return out + plain(text.slice(at))
}

function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return /^[\x00-\x1a\x1c-\x7f]*$/.test(text) ? text : decodeText(fromLatin1(text), undefined)
}

function decodeWord(charset: string, encoding: string, content: string): string | undefined {
  const octets = encoding === 'b' || encoding === 'B' ? decodeB(content) : decodeQ(content)
  return octets === undefined ? undefined : decodeText(octets, charset)
}

function decodeB(content: string): Uint8Array | undefined {
  const decoder = new Base64Decoder()
  const body = new Uint8Array(decoder.push(fromLatin1(content)))
  if (decoder.failed) return undefined
  const tail = decoder.end()
  return tail.length === 0 ? body : Buffer.concat([body, tail])
}

function decodeQ(content: string): Uint8Array | undefined {
  if (/=(?![0-9a-f]{2})/i.test(content)) return undefined
  return fromLatin1(content.replaceAll('_', ' ').replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))))
}
