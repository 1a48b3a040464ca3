import { MailError, failedWith, type FileStat, type Files, type OpenFile, type UidSet } from 'mailwright/api'
import { openingOf, type TextDialect } from './dialect.js'
import { copyWithoutCr, filterHeader, hasBareCr } from './header.js'
import { FORM, type Layout } from './layout.js'
import { compare, type FileState } from './stamp.js'

/** A message in the form of the file, without what a mailbox says of it. */
export interface Stored {
  /** Delimiter, From line and visible lines, without the empty line. */
  readonly head: Uint8Array
  /** Octets of `head` before the first line of the header. */
  readonly opening: number
  /** With a line end at its end, unless it is empty. */
  readonly text: Uint8Array
  /** CRLF octets of the header that a client sees, with its empty line, and of the text. */
  readonly visibleHeader: number
  readonly visibleText: number
}
/** A mailbox file in the state in which its messages are where they are said to be; a value. */
export interface StoredIn {
  readonly dialect: TextDialect
  readonly path: string
  readonly state: FileState
}
/** Where a message lies, and what is known of it; a value. */
export interface StoredAt {
  readonly offset: number
  readonly head: number
  readonly length: number
  /** CRLF octets as a client sees them: header with empty line, all. */
  readonly header: number
  readonly size: number
  readonly hasCr: boolean
}

/** A larger message is not held in memory. */
const LARGEST = 8 << 20
/** Octets of one read; what lies between two messages is read along when it is less than this. */
const PIECE = 1 << 20
const NEAR = 1 << 16
const LF = 10
const NOTHING = Buffer.alloc(0)

/** Where the messages lie, by uid; undefined when one is missing, too large, or not as a copy should be. */
export function placesOf(layout: Layout, { ranges, count }: UidSet): ReadonlyMap<number, StoredAt> | undefined {
  const places = new Map<number, StoredAt>()
  for (let r = 0; r + 1 < ranges.length; r += 2) {
    for (let i = layout.firstFrom(ranges[r] ?? 0); i < layout.count && layout.at(i, layout.uid) <= (ranges[r + 1] ?? 0); i++) {
      const length = layout.at(i, layout.length)
      // One that does not say when it came is to say so in the copy.
      if (length > LARGEST || layout.has(i, FORM.undated)) return undefined
      places.set(layout.at(i, layout.uid), {
        offset: layout.at(i, layout.offset), head: layout.at(i, layout.head), length,
        header: layout.at(i, layout.header), size: layout.at(i, layout.size), hasCr: layout.has(i, FORM.hasCr),
      })
    }
  }
  return places.size === count ? places : undefined
}
/** A file that has grown may have got mail, or was written anew with a longer beginning, which moves all messages: they are not looked for there. */
export function isInPlace({ state }: StoredIn, now: FileStat | undefined): boolean {
  return now !== undefined && compare(state, now) === 'same'
}

/** Reads messages as they lie in their file, one after the other. What was read counts only after `verify`. */
export class StoredReader implements AsyncDisposable {
  readonly #files: Files
  readonly #from: StoredIn
  readonly #file: OpenFile
  readonly #places: readonly StoredAt[]
  #next = 0
  #room = NOTHING
  #piece = NOTHING
  #start = 0

  private constructor(files: Files, from: StoredIn, file: OpenFile, places: readonly StoredAt[]) {
    this.#files = files
    this.#from = from
    this.#file = file
    this.#places = places
  }
  /** `places` in the order in which they will be read. */
  static async open(files: Files, from: StoredIn, places: readonly StoredAt[]): Promise<StoredReader> {
    try {
      return new StoredReader(files, from, await files.open(from.path, { keepAccessTime: true }), places)
    } catch (error) {
      throw failedWith(error, 'ENOENT') ? moved(from) : error
    }
  }

  /** The octets are good until the next call. */
  async next(): Promise<Stored> {
    const at = this.#places[this.#next]
    if (at === undefined) throw new Error('no more messages were asked for')
    if (at.offset < this.#start || at.offset + at.length > this.#start + this.#piece.length) await this.#read(at)
    this.#next++
    const from = at.offset - this.#start
    const message = storedOf(this.#from.dialect, at, this.#piece.subarray(from, from + at.length))
    if (message === undefined) throw moved(this.#from)
    return message
  }
  async #read(first: StoredAt): Promise<void> {
    let end = first.offset + first.length
    for (let i = this.#next + 1; i < this.#places.length; i++) {
      const { offset, length } = this.#places[i] ?? first
      if (offset < end || offset - end > NEAR || offset + length - first.offset > PIECE) break
      end = offset + length
    }
    const length = end - first.offset
    if (this.#room.length < length) this.#room = Buffer.allocUnsafe(Math.max(length, PIECE))
    this.#piece = this.#room.subarray(0, length)
    this.#start = first.offset
    if ((await this.#file.read(this.#piece, first.offset)) < length) throw moved(this.#from)
  }
  /**
   * The file that was read has the name, and the state in which the messages were where they were looked for.
   *
   * @throws MailError `vanished` otherwise.
   */
  async verify(): Promise<void> {
    const now = await this.#files.stat(this.#from.path)
    if (now?.inode !== (await this.#file.stat()).inode || !isInPlace(this.#from, now)) throw moved(this.#from)
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
  }
}
function moved({ path }: StoredIn): MailError {
  return new MailError('vanished', `${path} was changed while messages were copied`)
}

function storedOf(dialect: TextDialect, { head: headLength, length, header, size, hasCr }: StoredAt, octets: Buffer): Stored | undefined {
  const head = octets.subarray(0, headLength)
  const opening = openingOf(dialect, head, 0, head.length)
  if (opening === undefined) return undefined
  const { bytes, visible } = filterHeader(head, opening.after)
  // Octets CR are dropped in the copy.
  if (!hasCr && visible + 2 !== header) return undefined
  const raw = octets.subarray(headLength, length)
  const whole = raw.length === 0 || raw[raw.length - 1] === LF
  let text = raw
  if ((hasCr && !hasBareCr(raw)) || !whole) {
    text = Buffer.allocUnsafe(raw.length + 1)
    let to = hasBareCr(raw) ? raw.copy(text) : copyWithoutCr(raw, 0, raw.length, text, 0)
    if (!whole) text[to++] = LF
    text = text.subarray(0, to)
  }
  return { head: bytes, opening: bytes.indexOf(LF, dialect.delimiter.length) + 1, text, visibleHeader: visible + 2, visibleText: size - header + (whole ? 0 : 2) }
}
