import { ConnectionLost, POP3_MARK, ProtocolAbort } from '../api/index.js'
import type { MessageBytes } from '../api/index.js'
import { blankLineOctets } from '../wire/pop3/blank-line.js'
import { DotStuffer } from '../wire/pop3/dot-stuffer.js'
import type { ReplyWriter } from './writer.js'

/** Octets that the status line adds to every message. */
export const STATUS_OCTETS = 12
/** Octets of one read of a message that is not at hand. */
const PIECE = 65_536
const LF = 10
const CR = 13
const CRLF = Uint8Array.of(CR, LF)

/** `Status: RO`, by the marks of a message: read before or not, seen by a session before or new. */
const statusLines: readonly Uint8Array[] = Array.from({ length: 4 }, (_, marks) => {
  const seen = (marks & POP3_MARK.seen) !== 0 ? 'R' : ' '
  const old = (marks & POP3_MARK.recent) !== 0 ? ' ' : 'O'
  return Buffer.from(`Status: ${seen}${old}\r\n`, 'latin1')
})
/** Two octets shorter: what a text without a line end at its end is lacking, so that the announced size holds for it too. */
const SHORT_STATUS = Buffer.from('Status: \r\n', 'latin1')

/** A message as it is stored, and what is put into it on its way. */
export interface TextSource {
  readonly headerSize: number
  readonly bytes: MessageBytes
  /** Bits of `POP3_MARK`; undefined: no status line. */
  readonly marks: number | undefined
  /** What workarounds do to text on its way. */
  readonly treat?: TextTreatment | undefined
}
/** Changes octets without changing their number. */
export interface TextTreatment {
  /** Every NUL goes out as 0x80. */
  readonly nulToEighty: boolean
  readonly text: ((chunk: Uint8Array) => void) | undefined
}

/**
 * The text of a message as RETR and TOP send it: the stored octets with the status line as the last of the header, dots doubled, and exactly
 * one CRLF before the final dot.
 *
 * Opening reads the beginning, so that a message that is gone is refused before anything was announced.
 */
export class MessageText {
  /** What RETR sends, without the doubling of dots. */
  readonly octets: number
  readonly #source: TextSource
  readonly #first: Uint8Array
  /** Where the status line goes. */
  readonly #place: number
  /** The header does not end its last line. */
  readonly #openHeader: boolean
  readonly #status: Uint8Array | undefined

  private constructor(source: TextSource, first: Uint8Array, header: { readonly place: number; readonly open: boolean }, tail: { readonly counts: boolean; readonly endsLine: boolean }) {
    const { size } = source.bytes
    this.#source = source
    this.#first = first
    this.#place = header.place
    this.#openHeader = header.open
    const lacking = tail.counts && (header.place < size ? !tail.endsLine : header.open)
    if (source.marks === undefined) this.octets = size + (size > 0 && !tail.endsLine ? CRLF.length : 0)
    else {
      this.#status = lacking ? SHORT_STATUS : statusLines[source.marks]
      this.octets = size + STATUS_OCTETS
    }
  }

  /** @param whole for RETR: the size counts. */
  static async open(source: TextSource, whole: boolean, signal: AbortSignal): Promise<MessageText> {
    const { bytes, headerSize } = source
    const { size, inline } = bytes
    const first = inline ?? (await octetsAt(bytes, 0, Math.min(size, PIECE), signal))
    const headerEnd = headerSize <= first.length ? first.subarray(Math.max(0, headerSize - 4), headerSize) : await octetsAt(bytes, headerSize - 4, 4, signal)
    const blank = blankLineOctets(headerEnd)
    const open = blank === 0 && headerSize > 0 && headerEnd.at(-1) !== LF
    let endsLine = true
    if (whole && size > 0) {
      const tail = size <= first.length ? first.subarray(Math.max(0, size - 2), size) : await octetsAt(bytes, size - 2, 2, signal)
      endsLine = tail.length === 2 && tail[0] === CR && tail[1] === LF
    }
    return new MessageText(source, first, { place: headerSize - blank, open }, { counts: whole, endsLine })
  }

  /** @param lines of the body; undefined: all of it. */
  async send(out: ReplyWriter, lines: number | undefined, signal: AbortSignal): Promise<void> {
    const { bytes, headerSize } = this.#source
    const to = new Recorder(out, this.#source.treat)
    let left = lines ?? Infinity
    let stated = this.#status === undefined
    for (let at = 0, piece = this.#first; ; ) {
      if (!stated && this.#place <= at + piece.length) {
        to.write(piece.subarray(0, this.#place - at))
        if (this.#openHeader) to.write(CRLF)
        if (this.#status !== undefined) to.write(this.#status)
        piece = piece.subarray(this.#place - at)
        at = this.#place
        stated = true
      }
      // What is left of the header counts no lines.
      const header = Math.max(0, Math.min(piece.length, headerSize - at))
      const body = left === Infinity ? piece.length : header + linesOf(piece.subarray(header), left)
      to.write(piece.subarray(0, body))
      if (left !== Infinity) left -= countLines(piece.subarray(header, body))
      at += piece.length
      if (at >= bytes.size || (left <= 0 && at >= headerSize)) break
      const wait = out.room()
      if (wait !== undefined) await wait
      piece = await announced(octetsAt(bytes, at, Math.min(PIECE, bytes.size - at), signal))
    }
    to.endLine()
    out.end()
    const wait = out.room()
    if (wait !== undefined) await wait
  }
}

/** Dots are doubled, and the last two octets are known. */
class Recorder {
  readonly #out: ReplyWriter
  readonly #stuffer: DotStuffer
  readonly #treat: TextTreatment | undefined
  #last = LF
  #before = CR
  constructor(out: ReplyWriter, treat: TextTreatment | undefined) {
    this.#out = out
    this.#treat = treat
    this.#stuffer = new DotStuffer(out)
  }
  write(octets: Uint8Array): void {
    if (octets.length === 0) return
    this.#stuffer.write(this.#treat === undefined ? octets : treated(octets, this.#treat))
    this.#before = octets.length > 1 ? octets[octets.length - 2]! : this.#last
    this.#last = octets[octets.length - 1]!
  }
  endLine(): void {
    if (this.#before !== CR || this.#last !== LF) this.#out.bytes(CRLF)
  }
}

/** What is in hand is the store's: it is copied before it is changed. */
function treated(octets: Uint8Array, { nulToEighty, text }: TextTreatment): Uint8Array {
  const hasNul = nulToEighty && octets.includes(0)
  if (!hasNul && text === undefined) return octets
  const own = new Uint8Array(octets)
  if (hasNul) for (let i = own.indexOf(0); i >= 0; i = own.indexOf(0, i + 1)) own[i] = 0x80
  text?.(own)
  return own
}
/** Octets of the first `most` lines. */
function linesOf(octets: Uint8Array, most: number): number {
  let at = 0
  for (let n = 0; n < most; n++) {
    const end = octets.indexOf(LF, at)
    if (end < 0) return octets.length
    at = end + 1
  }
  return at
}
function countLines(octets: Uint8Array): number {
  let count = 0
  for (let at = octets.indexOf(LF); at >= 0; at = octets.indexOf(LF, at + 1)) count++
  return count
}
async function octetsAt(bytes: MessageBytes, at: number, length: number, signal: AbortSignal): Promise<Uint8Array> {
  const octets = new Uint8Array(length)
  for (let got = 0; got < length; ) {
    const n = await bytes.read(at + got, octets.subarray(got), signal)
    if (n === 0) throw new ProtocolAbort(undefined, 'a message ended before its size')
    got += n
  }
  return octets
}
/** What fails after the size was announced leaves only the end of the link: the client would take the rest for the message. */
async function announced<T>(read: Promise<T>): Promise<T> {
  try {
    return await read
  } catch (cause) {
    if (cause instanceof ProtocolAbort || cause instanceof ConnectionLost) throw cause
    throw new ProtocolAbort(undefined, 'a message could not be read to its end', { cause })
  }
}
