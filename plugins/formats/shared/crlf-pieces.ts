import type { OpenFile } from 'mailwright/api'
import { toCrlf } from './crlf.js'

/** Octets in the file that one read of a long text takes. */
const PIECE = 1 << 18

/** Where the text of a message is kept in a file, with the line ends of the file. */
export interface StoredText {
  readonly file: OpenFile
  /** Octet of the file at which it begins. */
  readonly from: number
  /** Octets in the file. */
  readonly length: number
}
/** The same place in a text, counted as a client sees it and as it is in the file. */
export interface TextPlace {
  readonly crlf: number
  readonly stored: number
}
export const TEXT_BEGIN: TextPlace = { crlf: 0, stored: 0 }

/**
 * Reads a text with CRLF line ends into `into`, from its octet `at` on. `known` is a place that an earlier read of this text came to: who reads
 * in order converts each octet about once. The answer's `place` is for the next read; a text that was moved or written meanwhile has none.
 */
export async function readWithCrlf({ file, from, length }: StoredText, known: TextPlace, at: number, into: Buffer, signal: AbortSignal): Promise<{ readonly got: number; readonly place: TextPlace }> {
  let place = at < known.crlf ? TEXT_BEGIN : known
  const piece = Buffer.allocUnsafe(Math.min(PIECE, length))
  const crlf = Buffer.allocUnsafe(2 * piece.length)
  let got = 0
  while (got < into.length && place.stored < length) {
    signal.throwIfAborted()
    const n = await file.read(piece.subarray(0, Math.min(piece.length, length - place.stored)), from + place.stored)
    if (n === 0) break
    const made = toCrlf(piece, 0, n, crlf, 0)
    const skip = Math.min(made, Math.max(0, at + got - place.crlf))
    const take = Math.min(made - skip, into.length - got)
    crlf.copy(into, got, skip, skip + take)
    got += take
    // A piece that is used up is left behind; one that is not is converted again by the next read.
    if (skip + take < made) break
    place = { crlf: place.crlf + made, stored: place.stored + n }
  }
  return { got, place }
}
