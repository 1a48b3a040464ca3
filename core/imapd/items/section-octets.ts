import type { MessageBytes, Section, StoredMessage } from '../../api/index.js'
import { filterHeader } from '../../mime/header.js'
import { readRange } from '../../mime/message.js'
import { PART_MAP } from '../../mime/part-map.js'
import { locateInMessage, locateSection, needsParts } from '../../mime/section.js'
import type { SectionPlace } from '../../mime/section.js'
import type { PartialRange } from '../../wire/imap/fetch-items.js'
import { factOf } from './structure.js'

/** A window of a message; nothing is copied. */
function windowOf(m: MessageBytes, at: number, size: number): MessageBytes {
  if (at === 0 && size === m.size) return m
  const { inline } = m
  return {
    size,
    ...(inline === undefined ? {} : { inline: inline.subarray(at, at + size) }),
    read: (from, into, signal) => m.read(at + from, from + into.length > size ? into.subarray(0, size - from) : into, signal),
  }
}
/** Octets in memory as a message has them. */
export function inMemory(octets: Uint8Array): MessageBytes {
  return {
    size: octets.length,
    inline: octets,
    async read(at, into) {
      const part = octets.subarray(at, at + into.length)
      into.set(part)
      return part.length
    },
  }
}

function placeOf(m: StoredMessage, s: Section): SectionPlace | undefined {
  return needsParts(s) ? locateSection(factOf(m, PART_MAP), s) : locateInMessage(s, m.headerSize, m.bytes.size)
}
function header(m: StoredMessage, place: SectionPlace, signal: AbortSignal): MessageBytes | Promise<MessageBytes> {
  const { fields } = place
  if (fields === undefined) return windowOf(m.bytes, place.at, place.size)
  const octets = readRange(m.bytes, place.at, place.at + place.size, signal)
  if (octets instanceof Promise) return octets.then((read) => inMemory(filterHeader(read, fields.names, fields.not)))
  return inMemory(filterHeader(octets, fields.names, fields.not))
}

/** The octets of a section as they are in the message; undefined when there is no such part. Waits only where a header has to be read. */
export function sectionOctets(m: StoredMessage, s: Section, signal: AbortSignal): MessageBytes | undefined | Promise<MessageBytes> {
  const direct = m.section?.(s)
  if (direct !== undefined) return direct
  const place = placeOf(m, s)
  return place === undefined ? undefined : header(m, place, signal)
}

/** The asked-for range, cut where the section ends (RFC 3501 §6.4.5). */
export function partOf(m: MessageBytes, range: PartialRange | undefined): MessageBytes {
  if (range === undefined) return m
  const at = Math.min(range.from, m.size)
  return windowOf(m, at, Math.min(range.count, m.size - at))
}
