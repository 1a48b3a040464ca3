import { setImmediate } from 'node:timers/promises'
import { MailError } from '../api/index.js'
import type { MessageBytes, StoredMessage } from '../api/index.js'
import { MimeScanner, scanOctets } from './scanner.js'
import type { ScanOptions } from './scanner.js'
import type { MimePart } from './part.js'

/** After this much without a turn of the loop, one is given: reading from memory gives none. */
const BREATH = 1024 * 1024
/** How much of a large message is looked at between two turns of the loop. */
const WINDOW = 256 * 1024

/** Calls `take` with the octets `from…to` of a message in order, in windows that it may not keep. Stops early when `take` says false. */
export async function eachWindow(
  bytes: MessageBytes,
  from: number,
  to: number,
  take: (octets: Uint8Array) => boolean | void,
  signal: AbortSignal,
): Promise<void> {
  if (bytes.inline !== undefined && bytes.inline.length >= to && to - from <= WINDOW) {
    if (to > from) take(bytes.inline.subarray(from, to))
    return
  }
  const window = new Uint8Array(Math.min(WINDOW, Math.max(0, to - from)))
  let at = from
  while (at < to) {
    signal.throwIfAborted()
    const got = await bytes.read(at, window.subarray(0, Math.min(window.length, to - at)), signal)
    if (got === 0) throw new MailError('vanished', 'a message ended before its size')
    at += got
    if (take(window.subarray(0, got)) === false) return
    if (Math.floor(at / BREATH) !== Math.floor((at - got) / BREATH)) await setImmediate()
  }
}

/** The octets `from…to`: a view of what is in memory, or a copy that the caller owns. */
export function readRange(bytes: MessageBytes, from: number, to: number, signal: AbortSignal): Uint8Array | Promise<Uint8Array> {
  if (bytes.inline !== undefined && bytes.inline.length >= to) return bytes.inline.subarray(from, to)
  return readInto(bytes, from, new Uint8Array(to - from), signal)
}

async function readInto(bytes: MessageBytes, from: number, into: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
  let filled = 0
  while (filled < into.length) {
    const got = await bytes.read(from + filled, into.subarray(filled), signal)
    if (got === 0) throw new MailError('vanished', 'a message ended before its size')
    filled += got
  }
  return into
}

/** The part tree of a stored message; one that is not in memory is read once, in windows. */
export function scanMessage(bytes: MessageBytes, options: ScanOptions, signal: AbortSignal): MimePart | Promise<MimePart> {
  if (bytes.inline !== undefined && bytes.inline.length >= bytes.size && bytes.size <= WINDOW) return scanOctets(bytes.inline, options)
  return scanWindows(bytes, options, signal)
}
async function scanWindows(bytes: MessageBytes, options: ScanOptions, signal: AbortSignal): Promise<MimePart> {
  const scanner = new MimeScanner(options)
  await eachWindow(bytes, 0, bytes.size, (octets) => scanner.push(octets), signal)
  return scanner.end()
}

/** The header of a message. */
export function readHeader(m: StoredMessage, signal: AbortSignal): Uint8Array | Promise<Uint8Array> {
  return readRange(m.bytes, 0, m.headerSize, signal)
}
/** What is made of a value, at once where it is there. */
export function whenRead<A, B>(value: A | Promise<A>, make: (value: A) => B): B | Promise<B> {
  return value instanceof Promise ? value.then(make) : make(value)
}
