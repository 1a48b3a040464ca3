import type { MixFolder } from './folder.js'
import { DATA_OCTETS, dataRecord, indexText, INDEX_OCTETS, parseIndex, SEQUENCE_OCTETS, type IndexTable } from './records.js'

/** A data file of which less is in use is given up for a new one. */
const WORTH_KEEPING = 0.5

/**
 * Takes space back: files without messages go, and messages of files that are mostly empty are put elsewhere. Octets in a data file are never
 * overwritten, so whoever reads meanwhile finds what it looks for, or nothing and then looks in the index. Only while no other program has the
 * mailbox open; `holes` names files from which messages went.
 */
export async function reclaim(folder: MixFolder, holes: Set<number>, signal: AbortSignal): Promise<void> {
  if (holes.size === 0) return
  await folder.locked('exclusive', signal, async (held) => {
    await folder.alone(async () => {
      const table = parseIndex(await folder.whole('index', held.index))
      const used = usedOctets(table)
      const empty: number[] = []
      const sparse = new Set<number>()
      for (const file of holes) {
        const stat = await folder.data.stat(file)
        if (stat === undefined) continue
        if (!used.has(file)) empty.push(file)
        else if (file !== held.meta.file && (used.get(file) ?? 0) < WORTH_KEEPING * stat.size) sparse.add(file)
      }
      if (empty.length + sparse.size === 0) return holes.clear()
      const moved = sparse.size > 0 ? await move(folder, held, table, sparse, signal) : []
      // From here on nothing speaks of the old files.
      await folder.settle()
      for (const file of [...empty, ...moved]) await folder.data.giveUp(file, file === held.meta.file)
      holes.clear()
    })
  })
}

function usedOctets(table: IndexTable): Map<number, number> {
  const used = new Map<number, number>()
  for (let i = 0; i < table.count; i++) {
    const file = table.file[i] ?? 0
    used.set(file, (used.get(file) ?? 0) + (table.internal[i] ?? 0) + (table.size[i] ?? 0))
  }
  return used
}
/** Puts messages of these files behind others; answers the files that hold nothing any more. */
async function move(folder: MixFolder, held: Parameters<MixFolder['commit']>[0], table: IndexTable, from: ReadonlySet<number>, signal: AbortSignal): Promise<number[]> {
  const sequence = folder.nextSequence(held)
  const octets = [...Array(table.count).keys()].filter((i) => from.has(table.file[i] ?? 0)).reduce((sum, i) => sum + (table.size[i] ?? 0) + DATA_OCTETS, 0)
  const writer = await folder.data.writer(held.meta.file, sequence, octets, signal)
  try {
    const lines: string[] = []
    for (let i = 0; i < table.count; i++) {
      const uid = table.uid[i] ?? 0
      const [ms, zone, size] = [table.ms[i] ?? 0, table.zone[i] ?? 0, table.size[i] ?? 0]
      let place = { file: table.file[i] ?? 0, at: table.at[i] ?? 0, internal: table.internal[i] ?? 0, header: table.header[i] ?? 0 }
      if (from.has(place.file)) {
        const at = writer.at
        await writer.add(dataRecord(uid, ms, zone, size))
        for (let done = 0; done < size; ) {
          const piece = Buffer.allocUnsafe(Math.min(size - done, 1 << 18))
          const file = await folder.data.open(place.file)
          const got = (await file?.read(piece, place.at + place.internal + done)) ?? 0
          // A message that cannot be read whole stays where it is.
          if (got === 0) throw new Error(`${folder.data.path(place.file)} ends before message ${uid} does`)
          await writer.add(piece.subarray(0, got))
          done += got
        }
        place = { file: writer.file, at, internal: DATA_OCTETS, header: place.header }
      }
      lines.push(`${indexText({ uid, ms, zone, size, ...place })}\r\n`)
    }
    await writer.flush()
    await folder.commit(held, sequence, {
      ...(writer.file !== held.meta.file && { meta: { ...held.meta, file: writer.file } }),
      index: { patches: [{ at: SEQUENCE_OCTETS, bytes: Buffer.from(lines.join('')) }], size: SEQUENCE_OCTETS + lines.length * INDEX_OCTETS },
      data: writer,
    })
    return [...from]
  } catch (error) {
    if (!folder.owes) await writer.undo().catch(() => undefined)
    throw error
  } finally {
    await writer.close()
  }
}
