import { BODYSTRUCTURE, ENVELOPE } from '../api/index.js'
import type { FactDeriver, StoredMessage } from '../api/index.js'
import { writeBodystructure } from './bodystructure.js'
import { writeEnvelope } from './envelope.js'
import { readHeader, scanMessage } from './message.js'
import { PART_MAP, mapParts } from './part-map.js'
import type { PartMap } from './part-map.js'
import type { MimePart } from './part.js'

/** BODYSTRUCTURE and the part map come from one scan when both are asked of the same message. */
const scanned = new WeakMap<StoredMessage, Promise<MimePart>>()

function scanOnce(m: StoredMessage, signal: AbortSignal): Promise<MimePart> {
  const running = scanned.get(m)
  if (running !== undefined) return running
  const scan = scanMessage(m.bytes, { envelopes: true }, signal)
  scanned.set(m, scan)
  scan.catch(() => scanned.delete(m))
  return scan
}

/** ENVELOPE in wire form, from the header alone. */
export const envelopeDeriver: FactDeriver<Uint8Array> = {
  fact: ENVELOPE,
  reads: 'header',
  derive: async (m, signal) => writeEnvelope(await readHeader(m, signal)),
}

/** BODYSTRUCTURE in wire form; BODY is `bodyOf` it. */
export const bodystructureDeriver: FactDeriver<Uint8Array> = {
  fact: BODYSTRUCTURE,
  reads: 'whole',
  derive: async (m, signal) => writeBodystructure(await scanOnce(m, signal)),
}

/** Where the parts lie. */
export const partMapDeriver: FactDeriver<PartMap> = {
  fact: PART_MAP,
  reads: 'whole',
  derive: async (m, signal) => mapParts(await scanOnce(m, signal)),
}
