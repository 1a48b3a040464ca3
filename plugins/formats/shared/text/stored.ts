import type { FileStat, Files, UidSet } from 'mailwright/api'
import { isFromLine } from './from-line.js'
import { copyWithoutCr, filterHeader } from './header.js'
import type { KeptFile } from './kept-file.js'
import { FORM, type Layout } from './layout.js'
import { compare, type FileState } from './stamp.js'

/** A message in the form of the file, without what a mailbox says of it. */
export interface Stored {
  /** From line and visible lines, without the empty line. */
  readonly head: Uint8Array
  /** With a line end at its end, unless it is empty. */
  readonly text: Uint8Array
  /** CRLF octets of the header that a client sees, with its empty line, and of the text. */
  readonly visibleHeader: number
  readonly visibleText: number
}
/** Where the messages are. */
export interface StoredIn {
  readonly files: Files
  readonly path: string
  readonly kept: KeptFile
  readonly layout: Layout
  readonly state: FileState
}

/** More than this is not held in memory. */
const MOST = 8 << 20
/** Octets of one read; what lies between two messages is read along when it is less than this. */
const PIECE = 1 << 20
const NEAR = 1 << 16
const LF = 10

/** The messages as they lie in the file, ascending by uid; undefined when they are too many, one is missing, or the file is not as expected. */
export async function takeStored(from: StoredIn, set: UidSet, signal: AbortSignal): Promise<ReadonlyMap<number, Stored> | undefined> {
  const { layout, state } = from
  const places = placesOf(layout, set)
  if (places === undefined) return undefined
  const opened = await from.kept.take(state.inode)
  if (opened === undefined) return undefined
  try {
    const out = new Map<number, Stored>()
    for (let first = 0; first < places.length; ) {
      signal.throwIfAborted()
      const start = layout.at(places[first] ?? 0, layout.offset)
      let end = start
      let after = first
      for (; after < places.length; after++) {
        const i = places[after] ?? 0
        const offset = layout.at(i, layout.offset)
        if (after > first && (offset < end || offset - end > NEAR || offset + layout.at(i, layout.length) - start > PIECE)) break
        end = offset + layout.at(i, layout.length)
      }
      const piece = Buffer.allocUnsafe(end - start)
      if ((await opened.file.read(piece, start)) < piece.length) return undefined
      for (; first < after; first++) {
        const i = places[first] ?? 0
        const message = storedOf(layout, i, piece.subarray(layout.at(i, layout.offset) - start))
        if (message === undefined) return undefined
        out.set(layout.at(i, layout.uid), message)
      }
    }
    return (await isSame(from, opened.inode)) ? out : undefined
  } finally {
    await from.kept.release(opened)
  }
}
/** Undefined when one of the set is not there, or all are too much. */
function placesOf(layout: Layout, { ranges, count }: UidSet): readonly number[] | undefined {
  const places: number[] = []
  let octets = 0
  for (let r = 0; r + 1 < ranges.length; r += 2) {
    for (let i = layout.firstFrom(ranges[r] ?? 0); i < layout.count && layout.at(i, layout.uid) <= (ranges[r + 1] ?? 0); i++) {
      octets += layout.at(i, layout.length)
      if (octets > MOST) return undefined
      places.push(i)
    }
  }
  return places.length === count ? places : undefined
}
/** What was read is what the layout describes: messages never change, and nothing was moved. */
async function isSame({ files, path, state }: StoredIn, inode: number): Promise<boolean> {
  const now: FileStat | undefined = await files.stat(path)
  return now?.inode === inode && compare(state, now) !== 'other'
}

function storedOf(layout: Layout, i: number, octets: Buffer): Stored | undefined {
  const head = octets.subarray(0, layout.at(i, layout.head))
  const fromEnd = head.indexOf(LF)
  if (fromEnd < 0 || !isFromLine(head, 0, head[fromEnd - 1] === 13 ? fromEnd - 1 : fromEnd)) return undefined
  const { bytes, visible } = filterHeader(head)
  const raw = octets.subarray(head.length, layout.at(i, layout.length))
  const visibleText = layout.at(i, layout.size) - layout.at(i, layout.header)
  const whole = raw.length === 0 || raw[raw.length - 1] === LF
  let text = raw
  if (layout.has(i, FORM.hasCr) || !whole) {
    text = Buffer.allocUnsafe(raw.length + 1)
    let to = copyWithoutCr(raw, 0, raw.length, text, 0)
    if (!whole) text[to++] = LF
    text = text.subarray(0, to)
  }
  return { head: bytes, text, visibleHeader: visible + 2, visibleText: visibleText + (whole ? 0 : 2) }
}
