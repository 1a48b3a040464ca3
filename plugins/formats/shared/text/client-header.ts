import { toCrlf } from '../crlf.js'
import { openingOf, type TextDialect } from './dialect.js'
import { eachVisibleLine } from './header.js'

const LF = 10

/** Where converted octets go: the kernel, or plain memory. */
export interface Target {
  convert(start: number, end: number, at: number): number
}
export class PlainTarget implements Target {
  readonly #from: Buffer
  readonly #into: Buffer
  readonly #base: number
  constructor(from: Buffer, into: Buffer, base: number) {
    this.#from = from
    this.#into = into
    this.#base = base
  }
  convert(start: number, end: number, at: number): number {
    return toCrlf(this.#from, start, end, this.#into, this.#base + at) - this.#base
  }
}

/** Length of internal lines that fill up to the usual end, less the digits of the number. */
const USUAL_BLOCK = 50 + '\nX-UID: \n'.length

/**
 * Mostly the internal lines stand together at the end of the header and are as long as always: one look finds where they
 * begin. -1 when they are not where they usually are.
 */
export function usualHeader(dialect: TextDialect, b: Buffer, from: number, to: number, target: Target, origin: number, at: number): number {
  const start = openingOf(dialect, b, from, to)?.after ?? -1
  if (start < 0) return -1
  for (let digits = 1; digits <= 10; digits++) {
    const block = to - 1 - USUAL_BLOCK - digits
    if (block < start || b[block] !== 83 || b[block - 1] !== LF || !isBlock(b, block, to)) continue
    return target.convert(to - 1 - origin, to - origin, target.convert(start - origin, block - origin, at))
  }
  return -1
}
/**
 * Converts a stored header `b[from, to)` as a client sees it; the target counts from `origin`. Returns the index after it, -1 when
 * it does not begin as a message.
 */
export function visibleHeader(dialect: TextDialect, b: Buffer, from: number, to: number, target: Target, origin: number, at: number): number {
  const first = openingOf(dialect, b, from, to)?.after ?? -1
  if (first < 0) return -1
  let out = at
  const head = b.subarray(from, to)
  let start = -1
  let end = first
  // Neighbouring lines are converted together.
  eachVisibleLine(head, first - from, (lineAt, lineEnd) => {
    if (start >= 0 && from + lineAt === end) {
      end = from + lineEnd
      return
    }
    if (start >= 0) out = target.convert(start - origin, end - origin, out)
    start = from + lineAt
    end = from + lineEnd
  })
  if (start >= 0) out = target.convert(start - origin, end - origin, out)
  // The empty line, which a header that ends with the file lacks.
  return b[to - 1] === LF && endsWithEmptyLine(head, first - 1 - from) ? target.convert(to - 1 - origin, to - origin, out) : out
}
/** Whether the lines that a rewrite makes, and no others, stand from here to the end, and no internal line before. */
function isBlock(b: Buffer, at: number, to: number): boolean {
  if (b[to - 2] !== LF || b.compare(STATUS, 0, STATUS.length, at, at + STATUS.length) !== 0) return false
  const status = b.indexOf(LF, at)
  if (b.compare(X_STATUS, 0, X_STATUS.length, status + 1, status + 1 + X_STATUS.length) !== 0) return false
  const xStatus = b.indexOf(LF, status + 1)
  if (b.compare(X_KEYWORDS, 0, X_KEYWORDS.length, xStatus + 1, xStatus + 1 + X_KEYWORDS.length) !== 0) return false
  const keywords = b.indexOf(LF, xStatus + 1)
  return keywords === at + 50 && b.indexOf(LF, keywords + 1) === to - 2
}
const STATUS = Buffer.from('Status: ')
const X_STATUS = Buffer.from('X-Status: ')
const X_KEYWORDS = Buffer.from('X-Keywords:')
function endsWithEmptyLine(head: Buffer, fromEnd: number): boolean {
  let before = head.length - 2
  if (before >= 0 && head[before] === 13) before--
  return before <= fromEnd || head[before] === LF
}
