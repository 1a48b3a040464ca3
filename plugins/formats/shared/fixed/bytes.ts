import { MailError, type MessageBytes, type OpenFile } from 'mailwright/api'
import { readWithCrlf, TEXT_BEGIN, type TextPlace } from '../crlf-pieces.js'
import type { Place } from './layout.js'
import { isLineOf, type Readable } from './readable.js'

const TRIES = 5

/** A message of which the beginning is in memory; the rest is read in pieces, each found again by uid. */
export class CutBytes implements MessageBytes {
  readonly size: number
  readonly #box: Readable
  readonly #uid: number
  readonly #head: Buffer
  /** Of a text with LF: to which the last read came. */
  #place = TEXT_BEGIN

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
        const read = await this.#box.using((file) => this.#stored(file, at, into, signal))
        if (this.#box.epoch() === epoch) {
          if (read === undefined) throw new MailError('vanished', `message ${this.#uid} is gone`)
          this.#place = read.place
          return read.got
        }
      }
      await this.#box.settled()
    }
    throw new MailError('unavailable', 'the mailbox is rewritten again and again')
  }
  async #stored(file: OpenFile, at: number, into: Uint8Array, signal: AbortSignal): Promise<{ readonly got: number; readonly place: TextPlace } | undefined> {
    const known = this.#box.place(this.#uid)
    const place = known !== undefined && (await isThere(this.#box, file, known)) ? known : await this.#box.relocate(this.#uid)
    // Texts are never changed in place; another size means another message.
    if (place === undefined || place.size !== this.size) return undefined
    const from = place.offset + place.line
    if (this.#box.dialect.text === 'as-is') return { got: await file.read(into, from + at), place: this.#place }
    return readWithCrlf({ file, from, length: place.stored }, this.#place, at, Buffer.from(into.buffer, into.byteOffset, into.byteLength), signal)
  }
}
async function isThere(box: Readable, file: OpenFile, place: Place): Promise<boolean> {
  const line = Buffer.alloc(place.line)
  const got = await file.read(line, place.offset)
  return isLineOf(box.dialect, place, line.subarray(0, got), box.cameMs(place.uid))
}
