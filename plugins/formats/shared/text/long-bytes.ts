import { MailError, type MessageBytes } from 'mailwright/api'
import { readWithCrlf, TEXT_BEGIN, type StoredText } from '../crlf-pieces.js'
import type { Opened } from './kept-file.js'
import { agrees, type Readable } from './readable.js'
import { compare, fileState, NO_BASE } from './stamp.js'

/** A file that is rewritten all the time cannot be read without the locks. */
const TRIES = 5

/** A long message: its header is at hand, its text is read in pieces, each found again by uid. */
export class LongBytes implements MessageBytes {
  readonly size: number
  readonly #box: Readable
  readonly #uid: number
  readonly #header: Uint8Array
  /** To which the last read came. */
  #place = TEXT_BEGIN

  constructor(box: Readable, uid: number, size: number, header: Uint8Array) {
    this.#box = box
    this.#uid = uid
    this.size = size
    this.#header = header
  }
  async read(at: number, into: Uint8Array, signal: AbortSignal): Promise<number> {
    let got = 0
    if (at < this.#header.length) {
      const part = this.#header.subarray(at, at + into.length)
      into.set(part)
      got = part.length
    }
    const wanted = Math.min(into.length, this.size - at)
    if (got < wanted) got += await this.#text(at + got - this.#header.length, Buffer.from(into.buffer, into.byteOffset + got, wanted - got), signal)
    return got
  }
  async #text(at: number, into: Buffer, signal: AbortSignal): Promise<number> {
    for (let tries = 0; tries < TRIES; tries++) {
      const found = await openMessage(this.#box, this.#uid, this.size, this.#header.length)
      try {
        const { got, place } = await readWithCrlf(found, this.#place, at, into, signal)
        if (await found.stood()) {
          this.#place = place
          return got
        }
      } finally {
        await this.#box.kept.release(found.opened)
      }
    }
    throw new MailError('unavailable', `${this.#box.path} is rewritten again and again`)
  }
}

/** The text of a message, wherever the message is now. */
interface Found extends StoredText {
  /** To be given back. */
  readonly opened: Opened
  /** Nothing was moved since: what was read is the message's. */
  stood(): Promise<boolean>
}
async function openMessage(box: Readable, uid: number, size: number, headerSize: number): Promise<Found> {
  let layout = box.layout()
  let stat = await box.files.stat(box.path)
  let known = await agrees(box, stat)
  if (!known) {
    await box.settled()
    stat = await box.files.stat(box.path)
    known = await agrees(box, stat)
    layout = known ? box.layout() : await box.relocate()
  }
  const i = layout.find(uid)
  // Texts are never changed in place; another size means another message.
  const opened = i < 0 || layout.at(i, layout.size) !== size || layout.at(i, layout.header) !== headerSize ? undefined : await box.kept.take(stat?.inode ?? 0)
  if (opened === undefined) throw new MailError('vanished', `message ${uid} is gone`)
  const head = layout.at(i, layout.head)
  const asFound = fileState(stat, NO_BASE)
  return {
    opened,
    file: opened.file,
    from: layout.at(i, layout.offset) + head,
    length: layout.at(i, layout.length) - head,
    stood: async () => {
      const now = await box.files.stat(box.path)
      return known ? box.layout() === layout && (await agrees(box, now)) : compare(asFound, now) === 'same'
    },
  }
}
