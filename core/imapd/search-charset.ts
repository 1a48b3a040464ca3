import { decodeText, isCharset } from '../mime/charset/decode.js'
import { CHARSETS } from '../mime/charset/names.js'
import { Refused } from './failure.js'

/** Refuses a charset that searches cannot be written in, naming those that can (RFC 3501 §6.4.4 and §7.1 "BADCHARSET"). */
export function checkCharset(name: string): void {
  if (isCharset(name)) return
  throw new Refused(`Unknown charset: ${name}`, {
    code: {
      name: 'BADCHARSET',
      write(w) {
        w.raw(' (')
        CHARSETS.forEach((known, i) => (i === 0 ? w : w.raw(' ')).atom(known))
        w.raw(')')
      },
    },
  })
}

/** Text of search strings; octets that a charset does not define become what is most likely meant, since 8-bit octets without CHARSET are common. */
export function searchDecoder(charset: string): (octets: Uint8Array) => string {
  const name = charset === 'US-ASCII' ? undefined : charset
  return (octets) => decodeText(octets, name)
}
