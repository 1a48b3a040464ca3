import { failedWith, MailError, type Files, type OpenFile } from 'mailwright/api'
import type { ContentWriter } from '../content-writer.js'
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

/** Numbers of one message in `StoredMessages`: octets of its new line, and where it lies. */
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
  let n = 0
  for (const { line, place } of list) {
    lines.set(line, end)
    end += line.length
    numbers[n++] = line.length
    numbers[n++] = place.uid
    numbers[n++] = place.offset
    numbers[n++] = place.line
    numbers[n++] = place.stored
    numbers[n++] = place.form
  }
  return { from, at, lines, numbers }
}

/** Neighbours that are read together: messages from `first` to before `after`, and where they lie. */
interface Batch {
  readonly first: number
  readonly after: number
  readonly from: number
  readonly to: number
}

/** Memory, and what was read into it. */
interface Read {
  readonly room: Buffer<ArrayBuffer>
  readonly piece: Buffer
}

/** Copies the octets of messages as they lie in their file. */
export class StoredReader implements AsyncDisposable {
  readonly #files: Files
  readonly #dialect: Dialect
  readonly #stored: StoredMessages
  readonly #file: OpenFile
  /** Octets of `lines` that were written. */
  #lines = 0
  #reading: Promise<Read> | undefined

  private constructor(files: Files, dialect: Dialect, stored: StoredMessages, file: OpenFile) {
    this.#files = files
    this.#dialect = dialect
    this.#stored = stored
    this.#file = file
  }
  static async open(files: Files, dialect: Dialect, stored: StoredMessages): Promise<StoredReader> {
    const { from } = stored
    try {
      return new StoredReader(files, dialect, stored, await files.open(from.path, { keepAccessTime: true }))
    } catch (error) {
      throw failedWith(error, 'ENOENT') ? moved(from) : error
    }
  }

  /**
   * Writes all of them, each behind its new line. The next batch is read while one is written.
   *
   * @throws MailError `vanished` when one is not there, or the file that was read is another one by now, or was written to: whoever moves messages leaves another time
   */
  async copyTo(w: ContentWriter, signal?: AbortSignal): Promise<void> {
    w.stay(this.#stored.at)
    let batch = this.#batch(0)
    this.#begin(batch)
    while (batch !== undefined && this.#reading !== undefined) {
      signal?.throwIfAborted()
      const { room, piece } = await this.#reading
      const next = this.#batch(batch.after)
      this.#begin(next)
      await this.#copy(batch, piece, w)
      spareChunks.give(room)
      batch = next
    }
    await this.#verify()
  }
  #begin(batch: Batch | undefined): void {
    this.#reading = batch && this.#read(batch)
    // Whoever waits for it hears why it failed.
    this.#reading?.catch(() => undefined)
  }
  #place(n: number): StoredPlace {
    const { numbers } = this.#stored
    const at = (i: number): number => numbers[NUMBERS * n + i] ?? 0
    return { uid: at(1), offset: at(2), line: at(3), stored: at(4), form: at(5) }
  }
  /** From this message on; undefined behind the last. */
  #batch(first: number): Batch | undefined {
    const count = this.#stored.numbers.length / NUMBERS
    if (first >= count) return undefined
    const { offset: from, line, stored } = this.#place(first)
    let to = from + line + stored
    let after = first + 1
    for (; after < count; after++) {
      const place = this.#place(after)
      const end = place.offset + place.line + place.stored
      if (place.offset < to || place.offset - to > NEAR || end - from > PIECE) break
      to = end
    }
    return { first, after, from, to }
  }
  /** The octets of a batch, or the first of one message that is larger than a piece. */
  async #read({ from, to }: Batch): Promise<Read> {
    const length = Math.min(PIECE, to - from)
    const room = spareChunks.room(length)
    const piece = room.subarray(0, length)
    await this.#fill(piece, from)
    return { room, piece }
  }
  async #fill(piece: Buffer, at: number): Promise<void> {
    if ((await this.#file.read(piece, at)) < piece.length) throw moved(this.#stored.from)
  }
  /** A new line mostly is as long as the old one, and takes its place: neighbours are then written in one piece. */
  async #copy({ first, after, from, to }: Batch, piece: Buffer, w: ContentWriter): Promise<void> {
    const { lines, numbers } = this.#stored
    let [start, end] = [0, 0]
    for (let n = first; n < after; n++) {
      const place = this.#place(n)
      const at = place.offset - from
      const behind = at + place.line
      if (!isLineOf(this.#dialect, place, piece.subarray(at, behind))) throw moved(this.#stored.from)
      const line = lines.subarray(this.#lines, (this.#lines += numbers[NUMBERS * n] ?? 0))
      const fits = line.length === place.line
      if (!fits || at !== end) {
        await w.bytes(piece.subarray(start, end))
        start = fits ? at : behind
      }
      if (fits) piece.set(line, at)
      else await w.bytes(line)
      end = behind + place.stored
    }
    await w.bytes(piece.subarray(start, end))
    for (let done = from + piece.length; done < to; done += PIECE) {
      const part = piece.subarray(0, to - done)
      await this.#fill(part, done)
      await w.bytes(part)
    }
  }
  async #verify(): Promise<void> {
    const { from } = this.#stored
    const [now, read] = [await this.#files.stat(from.path), await this.#file.stat()]
    if (now?.inode !== read.inode || now.device !== read.device || !isUnchanged(from.state, now, true)) throw moved(from)
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reading?.catch(() => undefined)
    await this.#file.close()
  }
}
function moved({ path }: StoredIn): MailError {
  return new MailError('vanished', `${path} was changed while messages were copied`)
}
