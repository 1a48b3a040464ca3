import { failedWith, MailError, type Files, type OpenFile } from 'mailwright/api'
import { CHUNK, spareChunks } from '../spare-chunks.js'
import type { Dialect } from './dialect.js'
import type { Place } from './layout.js'
import { isLineOf } from './readable.js'
import { isUnchanged, type FileState } from './stamp.js'

/** A mailbox file in the state in which its messages are where they are said to be; a value. */
export interface StoredIn {
  readonly path: string
  readonly state: FileState
}
type StoredPlace = Pick<Place, 'uid' | 'offset' | 'line' | 'stored' | 'form'>

/** Octets of one read; what lies between two messages is read along when it is less than this. */
const PIECE = CHUNK
const NEAR = 1 << 14
const NOTHING = Buffer.alloc(0)

/** Reads the octets of messages as they lie in their file, one message after the other. What was read counts only after `verify`. */
export class StoredReader implements AsyncDisposable {
  readonly #files: Files
  readonly #dialect: Dialect
  readonly #from: StoredIn
  readonly #file: OpenFile
  readonly #places: readonly StoredPlace[]
  #next = 0
  #room = NOTHING
  #piece = NOTHING
  #start = 0

  private constructor(files: Files, dialect: Dialect, from: StoredIn, file: OpenFile, places: readonly StoredPlace[]) {
    this.#files = files
    this.#dialect = dialect
    this.#from = from
    this.#file = file
    this.#places = places
  }
  /** `places` in the order in which they will be read. */
  static async open(files: Files, dialect: Dialect, from: StoredIn, places: readonly StoredPlace[]): Promise<StoredReader> {
    try {
      return new StoredReader(files, dialect, from, await files.open(from.path, { keepAccessTime: true }), places)
    } catch (error) {
      throw failedWith(error, 'ENOENT') ? moved(from) : error
    }
  }

  /**
   * Octets of the next message without its line, in pieces that are valid until the next is asked for.
   *
   * @throws MailError `vanished` when the message is not there
   */
  async *next(): AsyncGenerator<Buffer> {
    const place = this.#places[this.#next]
    if (place === undefined) throw new Error('no more messages were asked for')
    const length = place.line + place.stored
    if (place.offset < this.#start || place.offset + length > this.#start + this.#piece.length) await this.#read(place)
    this.#next++
    const at = place.offset - this.#start
    const there = this.#piece.subarray(at, at + length)
    if (!isLineOf(this.#dialect, place, there.subarray(0, place.line))) throw moved(this.#from)
    yield there.subarray(place.line)
    // One that is larger than a piece is alone in it.
    for (let done = there.length; done < length; done += this.#piece.length) {
      await this.#fill(place.offset + done, Math.min(PIECE, length - done))
      yield this.#piece
    }
  }
  async #read(first: StoredPlace): Promise<void> {
    let end = first.offset + first.line + first.stored
    for (let i = this.#next + 1; i < this.#places.length; i++) {
      const { offset, line, stored } = this.#places[i] ?? first
      const to = offset + line + stored
      if (offset < end || offset - end > NEAR || to - first.offset > PIECE) break
      end = to
    }
    await this.#fill(first.offset, Math.min(PIECE, end - first.offset))
  }
  async #fill(at: number, length: number): Promise<void> {
    if (this.#room.length < length) this.#room = spareChunks.room(length)
    this.#piece = this.#room.subarray(0, length)
    this.#start = at
    if ((await this.#file.read(this.#piece, at)) < length) throw moved(this.#from)
  }
  /**
   * The file that was read has the name, and nobody wrote to it: whoever moves messages leaves another time.
   *
   * @throws MailError `vanished` otherwise
   */
  async verify(): Promise<void> {
    const [now, read] = [await this.#files.stat(this.#from.path), await this.#file.stat()]
    if (now?.inode !== read.inode || now.device !== read.device || !isUnchanged(this.#from.state, now, true)) throw moved(this.#from)
  }
  async [Symbol.asyncDispose](): Promise<void> {
    spareChunks.give(this.#room)
    this.#room = this.#piece = NOTHING
    await this.#file.close()
  }
}
function moved({ path }: StoredIn): MailError {
  return new MailError('vanished', `${path} was changed while messages were copied`)
}

/** Numbers of one message in `PackedMessages`: octets of its new line, and where it lies. */
const NUMBERS = 6
/** Messages as they lie in another mailbox, with a new line for each; values that cross to another thread at once. */
export interface StoredMessages {
  readonly from: StoredIn
  /** Where the first goes. */
  readonly at: number
  readonly lines: Uint8Array
  readonly numbers: Float64Array
}
export function storedMessages(from: StoredIn, at: number, list: readonly { readonly line: Uint8Array; readonly place: StoredPlace }[]): StoredMessages {
  const lines = new Uint8Array(list.reduce((sum, { line }) => sum + line.length, 0))
  const numbers = new Float64Array(NUMBERS * list.length)
  let end = 0
  for (const [n, { line, place: { uid, offset, line: old, stored, form } }] of list.entries()) {
    lines.set(line, end)
    end += line.length
    numbers.set([line.length, uid, offset, old, stored, form], NUMBERS * n)
  }
  return { from, at, lines, numbers }
}
/** Each of them, in order. */
export function* eachStored({ lines, numbers }: StoredMessages): Generator<{ readonly line: Uint8Array; readonly place: StoredPlace }> {
  let end = 0
  for (let n = 0; n < numbers.length; n += NUMBERS) {
    const [length = 0, uid = 0, offset = 0, line = 0, stored = 0, form = 0] = numbers.subarray(n, n + NUMBERS)
    yield { line: lines.subarray(end, end + length), place: { uid, offset, line, stored, form } }
    end += length
  }
}
