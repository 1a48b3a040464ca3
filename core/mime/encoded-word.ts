import { decodeText } from './charset/decode.js'
import { MIME_LIMITS } from './limits.js'
import { fromLatin1 } from './octets.js'
import { Base64Decoder } from './transfer.js'

/** An encoded word where one may stand: at the start or behind white space, and followed by white space or the end (RFC 2047 §5). */
const WORD = /(^|[ \t\r\n])=\?([^\0-\x20\x7f-\xff()<>@,;:\\"/[\]?.=]+)\?([bq])\?([!->@-~]*)\?=(?=$|[ \t\r\n])/gi

/**
 * Header text as people read it: octets as Latin-1 in, Unicode out. Encoded words are decoded, white space between two of them vanishes; what
 * stands between is UTF-8 if it is that, else guessed. A word that cannot be decoded stays as it is.
 *
 * Neighbours of one character set are decoded as one: many programs cut in the middle of a character, against RFC 2047 §5.
 */
export function decodeHeaderText(text: string): string {
  if (!text.includes('=?')) return plain(text)
  let out = ''
  let at = 0
  let left: number = MIME_LIMITS.encodedWords
  let run: { readonly charset: string; readonly octets: Uint8Array[] } | undefined
  const endRun = (): void => {
    if (run !== undefined) out += decodeText(run.octets.length === 1 ? run.octets[0]! : Buffer.concat(run.octets), run.charset)
    run = undefined
  }
  WORD.lastIndex = 0
  for (let match = WORD.exec(text); match !== null && left > 0; match = WORD.exec(text)) {
    const [whole, before = '', said = '', encoding = '', content = ''] = match
    const octets = whole.length > 500 ? undefined : octetsOf(encoding, content)
    if (octets === undefined) continue
    const charset = said.toLowerCase()
    const gap = text.slice(at, match.index) + before
    const adjoins = left < MIME_LIMITS.encodedWords && /^[ \t\r\n]*$/.test(gap)
    if (!adjoins || run?.charset !== charset) endRun()
    if (!adjoins) out += plain(gap)
    run ??= { charset, octets: [] }
    run.octets.push(octets)
    at = match.index + whole.length
    left--
  }
  endRun()
  return out + plain(text.slice(at))
}

function plain(text: string): string {
  // One character that is something else, rather than a text of none: a search keeps no way back for each character.
  // eslint-disable-next-line no-control-regex
  return /[^\x00-\x1a\x1c-\x7f]/.test(text) ? decodeText(fromLatin1(text), undefined) : text
}

function octetsOf(encoding: string, content: string): Uint8Array | undefined {
  return encoding === 'b' || encoding === 'B' ? decodeB(content) : decodeQ(content)
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
