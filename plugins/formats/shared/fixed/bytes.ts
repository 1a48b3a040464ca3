import { MailError, type MessageBytes, type OpenFile } from 'mailwright/api'
import { toCrlf } from '../crlf.js'
import type { Place } from './layout.js'
import { isLineOf, type Readable } from './readable.js'

/** Octets in the file that one read of a text with LF takes. */
const PIECE = 1 << 18
const TRIES = 5

/** A message of which the beginning is in memory; the rest is read in pieces, each found again by uid. */
export class CutBytes implements MessageBytes {
  readonly size: number
  readonly #box: Readable
  readonly #uid: number
  readonly #head: Buffer
  /** A place in the text, as CRLF octets and as octets of the file. */
  #crlfAt = 0
  #storedAt = 0

  constructor(box: Readable, uid: number, size: number, head: Buffer) {
    this.#box = box
    this.#uid = uid
    this.size = size
    this.#head = head
  }
  async read(at: number, into: Uint8Array, signal: AbortSignal): Promise<number> {
    const wanted = Math.min(into.length, this.size - at)
    if (wanted <= 0) return 0
    if (at < this.#head.length) {
      const part = this.#head.subarray(at, at + wanted)
      into.set(part)
      if (part.length === wanted) return wanted
      return part.length + (await this.#fromFile(at + part.length, into.subarray(part.length, wanted), signal))
    }
    return this.#fromFile(at, into.subarray(0, wanted), signal)
  }
  async #fromFile(at: number, into: Uint8Array, signal: AbortSignal): Promise<number> {
    for (let tries = 0; tries < TRIES; tries++) {
      signal.throwIfAborted()
      const epoch = this.#box.epoch()
      if (epoch % 2 === 0) {
        const got = await this.#box.using((file) => this.#stored(file, at, into))
        if (this.#box.epoch() === epoch) {
          if (got === undefined) throw new MailError('vanished', `message ${this.#uid} is gone`)
          return got
        }
      }
      await this.#box.settled()
    }
    throw new MailError('unavailable', 'the mailbox is rewritten again and again')
  }
  async #stored(file: OpenFile, at: number, into: Uint8Array): Promise<number | undefined> {
    const known = this.#box.place(this.#uid)
    const place = known !== undefined && (await isThere(this.#box, file, known)) ? known : await this.#box.relocate(this.#uid)
    // Texts are never changed in place; another size means another message.
    if (place === undefined || place.size !== this.size) return undefined
    const from = place.offset + place.line
    if (this.#box.dialect.text === 'as-is') return file.read(into, from + at)
    return this.#converted(file, from, place.stored, at, Buffer.from(into.buffer, into.byteOffset, into.byteLength))
  }
  async #converted(file: OpenFile, from: number, length: number, at: number, into: Buffer): Promise<number> {
    if (at < this.#crlfAt) this.#crlfAt = this.#storedAt = 0
    const piece = Buffer.allocUnsafe(Math.min(PIECE, length))
    const crlf = Buffer.allocUnsafe(2 * piece.length)
    let done = 0
    while (done < into.length && this.#storedAt < length) {
      const n = await file.read(piece.subarray(0, Math.min(piece.length, length - this.#storedAt)), from + this.#storedAt)
      if (n === 0) break
      const made = toCrlf(piece, 0, n, crlf, 0)
      const skip = Math.min(made, Math.max(0, at + done - this.#crlfAt))
      const take = Math.min(made - skip, into.length - done)
      crlf.copy(into, done, skip, skip + take)
      done += take
      // A piece that is used up is left behind; one that is not is converted again by the next read.
      if (skip + take < made) break
      this.#storedAt += n
      this.#crlfAt += made
    }
    return done
  }
}
async function isThere(box: Readable, file: OpenFile, place: Place): Promise<boolean> {
  const line = Buffer.alloc(place.line)
  const got = await file.read(line, place.offset)
  return isLineOf(box.dialect, place, line.subarray(0, got))
}
