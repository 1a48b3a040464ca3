import type { MessageBytes, StoredMessage } from '../../api/index.js'
import { eachWindow, readRange, scanMessage } from '../../mime/message.js'
import { parameterOf } from '../../mime/part.js'
import type { MimePart } from '../../mime/part.js'
import { decodeTransfer, transferDecoder } from '../../mime/transfer.js'
import type { TextPattern } from './pattern.js'

/** Decoded octets that are compared at a time in a large part. */
const WINDOW = 64 * 1024

/** Whether a leaf is text that people read; other content is not searched (RFC 3501 §6.4.4 allows that). */
function isReadable(part: MimePart): boolean {
  return part.kind === 'leaf' && (part.content.type === 'TEXT' || part.content.type === 'MESSAGE')
}

/**
 * Whether the pattern is in the content of a message in memory, or with `withHeaders` in the headers of its parts and of messages within it; the
 * message's own header has been looked at. Preambles and epilogues are not searched.
 */
export function inPart(message: Uint8Array, part: MimePart, pattern: TextPattern, withHeaders: boolean): boolean {
  if (part.children.length === 0) {
    if (part.bodySize === 0 || !isReadable(part)) return false
    const octets = decodeTransfer(message.subarray(part.bodyAt, part.bodyAt + part.bodySize), part.content.encoding)
    return octets !== undefined && pattern.inContent(octets, parameterOf(part.content.parameters, 'CHARSET'))
  }
  for (const child of part.children) {
    if (withHeaders && pattern.inHeaderText(message.subarray(child.headerAt, child.bodyAt))) return true
    if (inPart(message, child, pattern, withHeaders)) return true
  }
  return false
}

/** The same for a message that is not held in memory: its parts are found in one pass, then read one after the other. */
export async function inLargeMessage(m: StoredMessage, pattern: TextPattern, withHeaders: boolean, signal: AbortSignal): Promise<boolean> {
  const root = await scanMessage(m.bytes, { lines: false }, signal)
  return inLargePart(m.bytes, root, pattern, withHeaders, signal)
}

async function inLargePart(bytes: MessageBytes, part: MimePart, pattern: TextPattern, withHeaders: boolean, signal: AbortSignal): Promise<boolean> {
  if (part.children.length === 0) return isReadable(part) && inLargeText(bytes, part, pattern, signal)
  for (const child of part.children) {
    if (withHeaders && child.headerSize > 0 && pattern.inHeaderText(await readRange(bytes, child.headerAt, child.bodyAt, signal))) return true
    if (await inLargePart(bytes, child, pattern, withHeaders, signal)) return true
  }
  return false
}

async function inLargeText(bytes: MessageBytes, part: MimePart, pattern: TextPattern, signal: AbortSignal): Promise<boolean> {
  const charset = parameterOf(part.content.parameters, 'CHARSET')
  const decoder = transferDecoder(part.content.encoding)
  const wide = /^(?:utf-?(?:16|32)|ucs)/i.test(charset ?? '')
  let gathered = new Uint8Array(0)
  let found = false
  const take = (octets: Uint8Array): boolean => {
    gathered = joined(gathered, octets)
    if (gathered.length < WINDOW) return true
    const cut = wide ? gathered.length - (gathered.length % 4) : (lineEndBefore(gathered) ?? gathered.length)
    found = pattern.inContent(gathered.subarray(0, cut), charset)
    // A pattern lies within a line; where the cut is none, or the pattern has lines itself, the end of this window is looked at again.
    const isLineEnd = !wide && gathered[cut - 1] === 0x0a
    const again = isLineEnd && !pattern.hasBreak ? 0 : Math.min(cut, 8 * (pattern.folded.length + 1))
    gathered = gathered.slice(cut - (wide ? again - (again % 4) : again))
    return !found
  }
  await eachWindow(bytes, part.bodyAt, part.bodyAt + part.bodySize, (octets) => {
    for (let at = 0; at < octets.length; at += WINDOW) {
      const piece = octets.subarray(at, at + WINDOW)
      if (!take(decoder === undefined ? piece : decoder.push(piece)) || decoder?.failed === true) return false
    }
    return true
  }, signal)
  if (found || decoder?.failed === true) return found
  gathered = joined(gathered, decoder?.end() ?? new Uint8Array(0))
  return pattern.inContent(gathered, charset)
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(a.length + b.length)
  out.set(a)
  out.set(b, a.length)
  return out
}

function lineEndBefore(octets: Uint8Array): number | undefined {
  const at = octets.lastIndexOf(0x0a)
  return at === -1 ? undefined : at + 1
}
