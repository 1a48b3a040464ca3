import { BODYSTRUCTURE, ENVELOPE } from '../api/index.js'
import type { FactDeriver, StoredMessage } from '../api/index.js'
import { writeBodystructure } from './bodystructure.js'
import { writeEnvelope } from './envelope.js'
import { readHeader, scanMessage, whenRead } from './message.js'
import { PART_MAP, mapParts } from './part-map.js'
import type { PartMap } from './part-map.js'
import type { MimePart } from './part.js'

/** BODYSTRUCTURE and the part map come from one scan when both are asked of the same message. */
const scanned = new WeakMap<StoredMessage, MimePart | Promise<MimePart>>()

function scanOnce(m: StoredMessage, signal: AbortSignal): MimePart | Promise<MimePart> {
  const known = scanned.get(m)
  if (known !== undefined) return known
  const scan = scanMessage(m.bytes, { envelopes: true }, signal)
  scanned.set(m, scan)
  if (scan instanceof Promise) scan.catch(() => scanned.delete(m))
  return scan
}

/** ENVELOPE in wire form, from the header alone. */
export const envelopeDeriver: FactDeriver<Uint8Array> = {
  fact: ENVELOPE,
  reads: 'header',
  derive: (m, signal) => whenRead(readHeader(m, signal), (header) => writeEnvelope(header)),
}

/** BODYSTRUCTURE in wire form; BODY is `bodyOf` it. */
export const bodystructureDeriver: FactDeriver<Uint8Array> = {
  fact: BODYSTRUCTURE,
  reads: 'whole',
  derive: (m, signal) => whenRead(scanOnce(m, signal), writeBodystructure),
}

/** Where the parts lie. */
export const partMapDeriver: FactDeriver<PartMap> = {
  fact: PART_MAP,
  reads: 'whole',
  derive: (m, signal) => whenRead(scanOnce(m, signal), mapParts),
}
