import type { OpenFile } from 'mailwright/api'

/** What a file holds, by its octets. */
export interface Contents {
  readonly kind: 'text' | 'binary'
  /** Of a text. */
  readonly charset: string
  /** Some octet has its eighth bit. */
  readonly eightBit: boolean
  /** It holds CR: line ends stay as they are. */
  readonly hasCr: boolean
  /** Octets of the body as clients see it. */
  readonly size: number
}
const LF = 10
const CR = 13
const ESC = 27
const WINDOW = 1 << 16
/** BASE64 lines: octets that go into one, and its octets with the line's end. */
const LINE_IN = 45
const LINE_OUT = 62

/** Octets that no text has. */
function isBinary(octet: number): boolean {
  return octet < 7 || (octet >= 16 && octet !== ESC && octet < 32) || octet === 127
}
/** Character set of a text by what follows an ESC (ISO 2022). */
function charsetAfterEscape(text: string): string | undefined {
  if (/^\$[B@]/.test(text)) return 'ISO-2022-JP'
  if (text.startsWith('$)C')) return 'ISO-2022-KR'
  return /^\$[)*+]/.test(text) ? 'ISO-2022-CN' : undefined
}

/** Looks at every octet of a file. */
export async function readContents(file: OpenFile): Promise<Contents> {
  const piece = Buffer.allocUnsafe(WINDOW)
  let [lines, octets, eightBit, hasCr] = [0, 0, false, false]
  let charset: string | undefined
  for (;;) {
    const got = await file.read(piece, octets)
    for (let i = 0; i < got; i++) {
      const octet = piece[i] ?? 0
      if (isBinary(octet)) {
        const size = (await file.stat()).size
        return { kind: 'binary', charset: '', eightBit: true, hasCr: false, size: encodedSize(size) }
      }
      if (octet === LF) lines++
      else if (octet === CR) hasCr = true
      else if (octet >= 128) eightBit = true
      else if (octet === ESC) charset ??= charsetAfterEscape(piece.toString('latin1', i + 1, Math.min(got, i + 4)))
    }
    octets += got
    if (got < WINDOW) break
  }
  return { kind: 'text', charset: charset ?? (eightBit ? 'X-UNKNOWN' : 'US-ASCII'), eightBit, hasCr, size: octets + (hasCr ? 0 : lines) }
}
/** Octets of BASE64 with its lines. */
function encodedSize(octets: number): number {
  const rest = octets % LINE_IN
  return Math.floor(octets / LINE_IN) * LINE_OUT + (rest === 0 ? 0 : 4 * Math.ceil(rest / 3) + 2)
}
/** BASE64 of a file from a place in the encoded text on. */
export async function readEncoded(file: OpenFile, at: number, into: Uint8Array): Promise<number> {
  const first = Math.floor(at / LINE_OUT)
  const many = Math.ceil((at + into.length) / LINE_OUT) - first
  const octets = Buffer.allocUnsafe(many * LINE_IN)
  const got = await file.read(octets, first * LINE_IN)
  const lines: string[] = []
  for (let i = 0; i < got; i += LINE_IN) lines.push(`${octets.toString('base64', i, Math.min(got, i + LINE_IN))}\r\n`)
  const text = Buffer.from(lines.join(''), 'latin1').subarray(at - first * LINE_OUT)
  const part = text.subarray(0, into.length)
  into.set(part)
  return part.length
}
