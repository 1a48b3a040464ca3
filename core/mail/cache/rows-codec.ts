import { crc32 } from 'node:zlib'
import type { ColumnData } from '../../api/index.js'
import { Generation } from '../table/generation.js'
import type { MailTable } from '../table/table.js'

const MAGIC = 0x31_52_57_4d // "MWR1", little-endian
const PREFIX = 16
/** Rises when the layout changes; older files are then ignored. */
const VERSION = 1

interface Header {
  readonly version: number
  readonly key: string
  readonly stamp: string
  readonly uidValidity: number
  readonly uidNext: number
  readonly highest: number
  readonly defined: readonly string[]
  readonly canCreate: boolean
  readonly most?: number
  readonly words: readonly string[]
  readonly sets: readonly (readonly [number, readonly string[]])[]
  readonly length: number
  readonly gaps: number
  readonly unclaimed: readonly number[]
  readonly extra: readonly { readonly id: string; readonly kind: keyof ColumnData; readonly octets: number }[]
}
const padded = (n: number): number => (n + 7) & ~7
const octets = (a: Uint32Array | Float64Array | Int16Array): Uint8Array => new Uint8Array(a.buffer, a.byteOffset, a.byteLength)
const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** The committed rows as they are kept under the driver's stamp; undefined when there is no stamp to keep them under. */
export function encodeRows(key: string, t: MailTable): Uint8Array | undefined {
  if (t.stamp === undefined || !littleEndian) return undefined
  const g = t.generation
  const n = t.length
  const columns: Uint8Array[] = [
    octets(g.date.subarray(0, n)),
    octets(g.modseq.subarray(0, n)),
    octets(g.uid.subarray(0, n)),
    octets(g.flags.subarray(0, n)),
    octets(g.size.subarray(0, n)),
    octets(g.zone.subarray(0, n)),
  ]
  const extra: Header['extra'][number][] = []
  for (const [id, own] of g.extra) {
    const bytes = Array.isArray(own.data) ? Buffer.from(JSON.stringify(own.data.slice(0, n).map((v) => v ?? null))) : octets(own.data.subarray(0, n))
    extra.push({ id, kind: own.kind, octets: bytes.length })
    columns.push(bytes)
  }
  const header: Header = {
    version: VERSION,
    key,
    stamp: t.stamp,
    uidValidity: t.uidValidity,
    uidNext: t.uidNext,
    // Numbers of a process without the journal are nobody's.
    highest: t.toldModseq,
    defined: t.keywords.defined,
    canCreate: t.keywords.canCreate,
    ...(t.keywords.most !== undefined && { most: t.keywords.most }),
    words: t.flagSets.words,
    sets: t.flagSets.list.map((s) => [s.system, s.keywords] as const),
    length: n,
    gaps: g.gaps,
    unclaimed: [...t.unclaimed.ranges],
    extra,
  }
  const head = Buffer.from(JSON.stringify(header))
  let size = PREFIX + padded(head.length)
  for (const c of columns) size += padded(c.length)
  const out = Buffer.alloc(size)
  out.writeUInt32LE(MAGIC, 0)
  out.writeUInt32LE(head.length, 8)
  head.copy(out, PREFIX)
  let at = PREFIX + padded(head.length)
  for (const c of columns) {
    out.set(c, at)
    at += padded(c.length)
  }
  out.writeUInt32LE(crc32(out.subarray(8)), 4)
  return out
}

/**
 * Fills an empty table with kept rows; false, and the table untouched, when they are damaged or of another mailbox or version. The octets are
 * the table's afterwards: its columns lie in them.
 */
export function decodeRows(bytes: Uint8Array, key: string, t: MailTable): boolean {
  // Columns must be aligned.
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes)
  const buffer = Buffer.from(aligned.buffer, aligned.byteOffset, aligned.byteLength)
  if (!littleEndian || buffer.length < PREFIX || buffer.readUInt32LE(0) !== MAGIC || buffer.readUInt32LE(4) !== crc32(buffer.subarray(8))) return false
  const headLength = buffer.readUInt32LE(8)
  // The checksum says that encodeRows wrote it.
  const header = JSON.parse(buffer.toString('utf8', PREFIX, PREFIX + headLength)) as Header
  if (header.version !== VERSION || header.key !== key) return false
  const sets = t.flagSets.restore(header.words, header.sets)
  if (!sets) return false
  const n = header.length
  const g = new Generation(t.flagSets.list)
  let at = PREFIX + padded(headLength)
  const next = (length: number): readonly [ArrayBuffer, number] => {
    const from = buffer.byteOffset + at
    at += padded(length)
    // Of a file that was read into memory of this process's own.
    return [buffer.buffer as ArrayBuffer, from]
  }
  g.date = new Float64Array(...next(n * 8), n)
  g.modseq = new Float64Array(...next(n * 8), n)
  g.uid = new Uint32Array(...next(n * 4), n)
  g.flags = new Uint32Array(...next(n * 4), n)
  g.size = new Uint32Array(...next(n * 4), n)
  g.zone = new Int16Array(...next(n * 2), n)
  for (const { id, kind, octets: length } of header.extra) {
    const place = next(length)
    if (kind === 'u32') g.extra.set(id, { kind, data: new Uint32Array(...place, n) })
    else if (kind === 'f64') g.extra.set(id, { kind, data: new Float64Array(...place, n) })
    else {
      const words = g.column({ id, kind: 'ref' })
      for (const word of JSON.parse(Buffer.from(...place, length).toString()) as (string | null)[]) words.push(word ?? undefined)
    }
  }
  g.length = n
  g.gaps = header.gaps
  t.restore(g, header)
  return true
}
