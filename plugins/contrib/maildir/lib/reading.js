import { failedWith, MailError, UNKNOWN } from 'mailwright/api'
import { headerEnd } from 'mailwright/toolkit'
import { sizesOf } from './file-name.js'
import { baseOf } from './columns.js'
import * as readTask from './read-task.js'

const { HEAD, INLINE } = readTask

const [CR, LF] = [13, 10]
const PIECE = 1 << 16
const BATCH = 32
/** So few messages are read in one go on one thread; more are sooner there when the machine reads several at once. */
const FEW = 4

/** Writes octets with CRLF for each LF that has no CR; `last` is the octet before them. Returns the number of octets. */
export function toCrlf(from, into, last) {
  let [to, before] = [0, last]
  for (const octet of from) {
    if (octet === LF && before !== CR) into[to++] = CR
    into[to++] = octet
    before = octet
  }
  return to
}
/** Octets of a file as a client sees them. */
export async function sizeOf(file) {
  const piece = Buffer.alloc(PIECE)
  let [size, before, at] = [0, 0, 0]
  for (let got = await file.read(piece, 0); got > 0; got = await file.read(piece, at)) {
    for (let i = 0; i < got; i++) {
      if (piece[i] === LF && before !== CR) size++
      before = piece[i]
    }
    size += got
    at += got
  }
  return size
}

/**
 * Messages of the rows, ascending, in batches; `source.open` finds the file of a row, undefined when it is gone, `source.nameOf` and `source.pathOf` tell where it should be, and
 * `source.lane` reads a few in one go, `source.sizes` is told what was counted (`CountedSizes`). Where no more than headers are wanted, no more than the beginning of a large message is read.
 */
export async function* readMessages(source, found, wants, rows, signal) {
  const wanted = []
  for (const row of found) wanted.push({ uid: rows.uid[row], size: rows.size[row], row, named: sizesOf(baseOf(source.nameOf(row))).stored })
  const content = wants.bytes !== 'none' || wants.sections.length > 0
  const most = wants.bytes === 'header' ? HEAD : INLINE
  // A size that a name tells wrong would cut the message short, or leave the client waiting for the rest.
  const isCounted = (uid) => wants.bytes === 'header' || source.sizes.has(uid)
  for (let at = 0; at < wanted.length; at += BATCH) {
    signal.throwIfAborted()
    const batch = wanted.slice(at, at + BATCH)
    const early = content && wanted.length <= FEW ? await source.lane.run(readTask, { paths: batch.map(({ row }) => source.pathOf(row)), most }) : []
    const messages = await Promise.all(batch.map((one, i) => read(source.open, { ...one, counted: isCounted(one.uid) }, { content, most, signal }, early[i])))
    const there = messages.filter((message) => message !== undefined)
    if (content) for (const { uid, bytes } of there) if (wants.bytes !== 'header' || bytes.inline !== undefined) source.sizes.put(uid, bytes.size)
    if (there.length > 0) yield there
  }
}
/** `early`: octets of the file that were read already, and how many it has. */
async function read(open, { uid, size, row, named, counted }, { content, most, signal }, early) {
  if (!content) return { uid, headerSize: 0, bytes: new FileBytes(open, uid, row, size === UNKNOWN ? 0 : size) }
  const known = early === undefined ? undefined : messageOf(open, { uid, size, row, named, counted }, early)
  if (known !== undefined) return known
  const file = await open(row)
  if (file === undefined) return undefined
  try {
    for (let room = most; ; room *= 4) {
      signal.throwIfAborted()
      const beginning = await readTask.beginningOf(file, room)
      const message = messageOf(open, { uid, size, row, named, counted }, beginning)
      if (message !== undefined) return message
      if (size === UNKNOWN || !counted || isOther(named, beginning)) [size, named, counted] = [await sizeOf(file), undefined, true]
    }
  } finally {
    await file.close()
  }
}
/**
 * A message by its first octets; undefined where its size is not known, or they do not tell where its header ends. When its name says other octets than there are (`named`), it was
 * changed in its place, and the size is not to be believed either.
 */
function messageOf(open, { uid, size, row, named, counted }, beginning) {
  const { octets: raw, stored } = beginning
  const octets = crlf(Buffer.from(raw.buffer, raw.byteOffset, raw.length))
  const end = headerEnd(octets)
  if (raw.length >= stored) return { uid, headerSize: end, bytes: new InlineBytes(octets) }
  // The last line may go on; the blank line is one only when something follows it.
  if (size === UNKNOWN || !counted || isOther(named, beginning) || end >= octets.length) return undefined
  return { uid, headerSize: end, bytes: new FileBytes(open, uid, row, size, octets) }
}
function isOther(named, { stored }) {
  return named !== undefined && named !== stored
}
function crlf(raw) {
  let bare = 0
  for (let at = raw.indexOf(LF); at !== -1; at = raw.indexOf(LF, at + 1)) if (at === 0 || raw[at - 1] !== CR) bare++
  if (bare === 0) return raw
  const octets = Buffer.alloc(raw.length + bare)
  toCrlf(raw, octets, 0)
  return octets
}

class InlineBytes {
  constructor(octets) {
    this.inline = octets
    this.size = octets.length
  }
  async read(at, into) {
    const part = this.inline.subarray(at, at + into.length)
    into.set(part)
    return part.length
  }
}
/** A message read piece by piece; nothing is open in between. */
class FileBytes {
  #open
  #uid
  #row
  /** A place of the file that is known: what was read goes on from there. */
  #place = { from: 0, at: 0, before: 0 }
  /** What it begins with, where that was read. */
  #head
  constructor(open, uid, row, size, head = new Uint8Array(0)) {
    this.#open = open
    this.#uid = uid
    this.#row = row
    this.#head = head
    this.size = size
  }
  async read(at, into, signal) {
    const room = Math.min(into.length, this.size - at)
    if (room <= 0) return 0
    if (at < this.#head.length) {
      const part = this.#head.subarray(at, at + room)
      into.set(part)
      return part.length
    }
    const file = await this.#open(this.#row)
    if (file === undefined) throw new MailError('vanished', `message ${this.#uid} is gone`)
    try {
      const { size: stored } = await file.stat()
      if (stored === this.size) return await file.read(into.subarray(0, room), at)
      let place = this.#place.at <= at ? this.#place : { from: 0, at: 0, before: 0 }
      const raw = Buffer.alloc(PIECE)
      const octets = Buffer.alloc(PIECE * 2)
      for (;;) {
        signal?.throwIfAborted()
        const got = await file.read(raw, place.from)
        if (got === 0) return 0
        const made = toCrlf(raw.subarray(0, got), octets, place.before)
        if (place.at + made > at) {
          this.#place = place
          const part = octets.subarray(at - place.at, Math.min(made, at - place.at + room))
          into.set(part)
          return part.length
        }
        place = { from: place.from + got, at: place.at + made, before: raw[got - 1] }
      }
    } catch (error) {
      throw failedWith(error, 'ENOENT') ? new MailError('vanished', `message ${this.#uid} is gone`, { cause: error }) : error
    } finally {
      await file.close()
    }
  }
}
