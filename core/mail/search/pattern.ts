import { isAscii } from 'node:buffer'
import { charsetClass, decodeText, hasJapaneseEscape, isCharset } from '../../mime/charset/decode.js'
import { fold } from '../../mime/charset/fold.js'
import { eachField } from '../../mime/header.js'
import { decodeHeaderText } from '../../mime/encoded-word.js'
import { asBuffer, latin1, unfold } from '../../mime/octets.js'

/** ASCII letters raised. */
const UPPER = Uint8Array.from({ length: 256 }, (_, c) => (c >= 0x61 && c <= 0x7a ? c - 0x20 : c))

/**
 * What is looked for, made once per term. Text is compared as RFC 5051 folds it; where pattern and text are ASCII that is a search for octets
 * without regard to case, and no string is made (Boyer, Moore and Horspool's method).
 */
export class TextPattern {
  readonly folded: string
  readonly isAscii: boolean
  /** Such a pattern may lie across a fold of a header. */
  readonly hasBlank: boolean
  /** Such a pattern may lie across lines of a body. */
  readonly hasBreak: boolean
  /** Such a pattern lies within one name, box or host, if it is in addresses at all: none of its octets stands between them. */
  readonly isWord: boolean
  readonly #needle: Uint8Array
  /** How far to go on when this octet stands under the needle's end; 0 for its last octet. */
  readonly #skip: Int32Array
  readonly #afterLast: number

  constructor(text: string) {
    this.folded = fold(text)
    this.isAscii = !/[^\0-\x7f]/.test(this.folded)
    this.hasBlank = /[ \t\r\n]/.test(this.folded)
    this.hasBreak = /[\r\n]/.test(this.folded)
    // A letter out of a compatibility decomposition stays small; no ASCII text has it once folded, so octets cannot answer.
    if (this.isAscii && /[a-z]/.test(this.folded)) this.isAscii = false
    this.isWord = this.isAscii && /^[\w.+-]+$/.test(this.folded)
    const needle = Buffer.from(this.isAscii ? this.folded : '', 'latin1')
    this.#needle = needle
    const last = needle.length - 1
    this.#skip = new Int32Array(256).fill(needle.length)
    for (let i = 0; i < last; i++) this.#step(needle[i]!, last - i)
    this.#afterLast = last < 0 ? 1 : this.#skip[needle[last]!]!
    if (last >= 0) this.#step(needle[last]!, 0)
  }

  #step(octet: number, distance: number): void {
    this.#skip[octet] = distance
    if (octet >= 0x41 && octet <= 0x5a) this.#skip[octet | 0x20] = distance
  }

  get isEmpty(): boolean {
    return this.folded === ''
  }

  /** Whether the ASCII pattern is among the octets `from…to`. */
  inOctets(octets: Uint8Array, from: number, to: number): boolean {
    const needle = this.#needle
    const skip = this.#skip
    const last = needle.length - 1
    if (last < 0) return true
    let at = from + last
    while (at < to) {
      const step = skip[octets[at]!]!
      if (step !== 0) {
        at += step
        continue
      }
      let i = last - 1
      let j = at - 1
      while (i >= 0 && UPPER[octets[j]!] === needle[i]) {
        i--
        j--
      }
      if (i < 0) return true
      at += this.#afterLast
    }
    return false
  }

  /** Whether the pattern is in this text. */
  inText(text: string): boolean {
    return fold(text).includes(this.folded)
  }

  /** Whether the pattern is in content of a part, its transfer encoding undone, in this character set. */
  inContent(octets: Uint8Array, charset: string | undefined): boolean {
    if (this.isEmpty) return true
    const kind = charsetClass(charset)
    if (kind === 'superset' && !(isGuessed(charset) && hasJapaneseEscape(octets))) {
      // A hit is a hit even between other characters; a miss is one only where all is ASCII, since é folds to E with a mark.
      if (this.isAscii && this.inOctets(octets, 0, octets.length)) return true
      if (isAscii(octets)) return false
    } else if (isAscii(octets) && (kind === 'multibyte' || (/^iso-2022/i.test(charset ?? '') && !asBuffer(octets).includes(0x1b)))) {
      return this.isAscii && this.inOctets(octets, 0, octets.length)
    }
    return this.inText(decodeText(octets, charset))
  }

  /** Whether the pattern is in header octets: folds undone, encoded words decoded. */
  inHeader(octets: Uint8Array, from: number, to: number): boolean {
    if (this.isEmpty) return true
    const slice = octets.subarray(from, to)
    const isPlain = isAscii(slice) && !hasEncodedWord(slice)
    if (isPlain) {
      if (!this.isAscii) return asBuffer(slice).includes(0x1b) && this.inText(decodeHeaderText(unfold(latin1(slice))))
      if (this.inOctets(octets, from, to)) return true
      if (!this.hasBlank || !asBuffer(slice).includes(0x0a)) return false
    }
    return this.inText(decodeHeaderText(unfold(latin1(slice))))
  }

  /** Whether the pattern is in one of a header's fields, names included. */
  inHeaderText(header: Uint8Array): boolean {
    if (this.isEmpty) return true
    const isPlain = isAscii(header) && !hasEncodedWord(header)
    if (isPlain && !this.hasBlank) {
      if (this.isAscii) return this.inOctets(header, 0, header.length)
      if (!asBuffer(header).includes(0x1b)) return false
    }
    let found = false
    eachField(header, 0, header.length, (at, _nameEnd, _valueAt, end) => {
      found ||= this.inHeader(header, at, end)
    })
    return found
  }
}

/** Whether text in this set is decoded by what it looks like. */
function isGuessed(charset: string | undefined): boolean {
  return charset === undefined || /^us-ascii$/i.test(charset) || !isCharset(charset)
}

/** Whether `=?` occurs. */
function hasEncodedWord(octets: Uint8Array): boolean {
  const buffer = asBuffer(octets)
  for (let at = buffer.indexOf(0x3d); at !== -1; at = buffer.indexOf(0x3d, at + 1)) if (buffer[at + 1] === 0x3f) return true
  return false
}
