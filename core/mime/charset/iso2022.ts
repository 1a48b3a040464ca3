import iconv from './iconv.js'

/** What octets of one register mean: one of these sets, or undefined for one that is not known. */
type CodeSet =
  | { readonly kind: 'ascii' | 'roman' | 'kana' }
  | { readonly kind: 'high'; readonly library: string }
  | { readonly kind: 'pairs'; readonly library: string; readonly prefix?: number }
  | { readonly kind: 'unknown-pairs' }

const ASCII: CodeSet = { kind: 'ascii' }
const LATIN1: CodeSet = { kind: 'high', library: 'iso-8859-1' }
/** Final octets of 94-character sets (ISO 2022 registry). */
const SETS_94: Readonly<Record<string, CodeSet>> = { B: ASCII, A: ASCII, J: { kind: 'roman' }, H: { kind: 'roman' }, I: { kind: 'kana' } }
const SETS_96: Readonly<Record<string, CodeSet>> = Object.fromEntries(
  Object.entries({ A: 1, B: 2, C: 3, D: 4, F: 7, G: 6, H: 8, L: 5, M: 9, V: 10, Y: 13, '\\': 14, b: 15, f: 16 }).map(([final, n]) => [
    final,
    { kind: 'high', library: `iso-8859-${n}` } satisfies CodeSet,
  ]),
)
const SETS_PAIRS: Readonly<Record<string, CodeSet>> = {
  '@': { kind: 'pairs', library: 'euc-jp' },
  B: { kind: 'pairs', library: 'euc-jp' },
  A: { kind: 'pairs', library: 'gbk' },
  C: { kind: 'pairs', library: 'euc-kr' },
  D: { kind: 'pairs', library: 'euc-jp', prefix: 0x8f },
}

/**
 * Text in any ISO-2022 encoding (JP, JP-1, JP-2, KR, and CN without CNS 11643): designations to G0…G3, locking shifts SI and SO, single shifts in
 * both forms. At the start G0 is ASCII and G1 ISO-8859-1; octets above 127 are taken from G1. Unknown characters become U+FFFD.
 */
export function decodeIso2022(octets: Uint8Array): string {
  return new Iso2022(octets).decode()
}

class Iso2022 {
  readonly #octets: Uint8Array
  #at = 0
  readonly #sets: CodeSet[] = [ASCII, LATIN1, ASCII, LATIN1]
  #left = 0
  #out = ''
  /** Octets of one library decoder that wait to be decoded together. */
  #run: number[] = []
  #library = ''
  constructor(octets: Uint8Array) {
    this.#octets = octets
  }

  decode(): string {
    const octets = this.#octets
    while (this.#at < octets.length) {
      const c = octets[this.#at]!
      if (c === 0x1b && this.#escape()) continue
      this.#at++
      if (c === 0x0e) this.#left = 1
      else if (c === 0x0f) this.#left = 0
      else if (c === 0x8e || c === 0x19) this.#character(this.#sets[2]!)
      else if (c === 0x8f || c === 0x1d) this.#character(this.#sets[3]!)
      else if (c <= 0x20) this.#text(String.fromCharCode(c))
      else {
        this.#at--
        this.#character(c >= 0x80 ? this.#sets[1]! : this.#sets[this.#left]!)
      }
    }
    this.#flush()
    return this.#out
  }

  /** Reads one character of a set at the place of the reader. */
  #character(set: CodeSet): void {
    const c = this.#octets[this.#at]
    if (c === undefined) return
    this.#at++
    const seven = c & 0x7f
    switch (set.kind) {
      case 'ascii':
        return this.#text(String.fromCharCode(seven))
      case 'roman':
        return this.#text(seven === 0x5c ? '¥' : seven === 0x7e ? '‾' : String.fromCharCode(seven))
      case 'kana':
        return this.#text(seven >= 0x21 && seven <= 0x5f ? String.fromCharCode(0xff61 + seven - 0x21) : '\ufffd')
      case 'high':
        return this.#queue(set.library, seven | 0x80)
      case 'pairs':
      case 'unknown-pairs': {
        const second = this.#octets[this.#at]
        if (second === undefined || (second & 0x7f) < 0x21) return this.#text('\ufffd')
        this.#at++
        if (set.kind === 'unknown-pairs') return this.#text('\ufffd')
        if (set.prefix !== undefined) this.#queue(set.library, set.prefix)
        this.#queue(set.library, seven | 0x80)
        return this.#queue(set.library, second | 0x80)
      }
      default:
        return set satisfies never
    }
  }

  /** Takes an escape sequence; false when it is none that is known, and the ESC is passed as text. */
  #escape(): boolean {
    const octets = this.#octets
    const text = String.fromCharCode(...octets.subarray(this.#at + 1, this.#at + 4))
    const match = /^(?:\$([()*+])?([@-~])|([()*+])([@-~])|([,\-./])([@-~])|([NOno~}|]))/.exec(text)
    if (match === null) return false
    this.#at += 1 + match[0].length
    const [, pairsTo, pairs, to94, final94, to96, final96, shift] = match
    if (pairs !== undefined) this.#sets[pairsTo === undefined ? 0 : '()*+'.indexOf(pairsTo)] = SETS_PAIRS[pairs] ?? { kind: 'unknown-pairs' }
    else if (final94 !== undefined) this.#sets['()*+'.indexOf(to94!)] = SETS_94[final94] ?? ASCII
    else if (final96 !== undefined) this.#sets[',-./'.indexOf(to96!)] = SETS_96[final96] ?? LATIN1
    else if (shift === 'N') this.#character(this.#sets[2]!)
    else if (shift === 'O') this.#character(this.#sets[3]!)
    else if (shift === 'n') this.#left = 2
    else if (shift === 'o') this.#left = 3
    return true
  }

  #queue(library: string, octet: number): void {
    if (this.#library !== library) {
      this.#flush()
      this.#library = library
    }
    this.#run.push(octet)
  }
  #text(text: string): void {
    this.#flush()
    this.#out += text
  }
  #flush(): void {
    if (this.#run.length === 0) return
    this.#out += iconv.decode(Buffer.from(this.#run), this.#library)
    this.#run = []
  }
}

/** HZ (RFC 1843): ASCII, with GB 2312 between `~{` and `~}`. */
export function decodeHz(octets: Uint8Array): string {
  const out: number[] = []
  let chinese = false
  for (let i = 0; i < octets.length; i++) {
    const c = octets[i]!
    const next = octets[i + 1]
    if (c === 0x7e && !chinese) {
      if (next === 0x7b) chinese = true
      else if (next === 0x7e) out.push(c)
      else if (next !== 0x0a) out.push(c, ...(next === undefined ? [] : [next]))
      i++
    } else if (c === 0x7e && next === 0x7d) {
      chinese = false
      i++
    } else if (c === 0x0a) {
      // The Chinese mode ends with its line.
      chinese = false
      out.push(c)
    } else if (chinese && c >= 0x21 && next !== undefined && next >= 0x21) {
      out.push(c | 0x80, next | 0x80)
      i++
    } else out.push(c)
  }
  return iconv.decode(Buffer.from(out), 'gbk')
}
