import { sayWaits } from '../shared/locks/wait-lines.js'
import { MOST_DATA } from './data-files.js'
import { holdings, NOTHING, type Holding } from './data-use.js'
import type { MixFolder } from './folder.js'
import { putIndexLine } from './put-records.js'
import { DATA_OCTETS, INDEX_OCTETS, parseIndex, SEQUENCE_OCTETS, type IndexTable } from './records.js'

/** A data file of which less is in use is given up for a new one. */
const WORTH_KEEPING = 0.5

type Locked = Parameters<MixFolder['commit']>[0]

/** What expunges left of a mailbox. */
export interface Emptied {
  /** Files from which messages went, with what they hold by the rows. */
  readonly holes: Map<number, Holding>
  /** The file that new messages go to. */
  readonly current: number | undefined
  /** UIDVALIDITY of the mailbox. */
  readonly validity: number
}

/**
 * Takes space back: files without messages go, and messages of files that are mostly empty are put elsewhere. Octets in a data file are never
 * overwritten, so whoever reads meanwhile finds what it looks for, or nothing and then looks in the index. Only while no other program has the
 * mailbox open. Files that nobody here emptied stay, whatever the index says: it may be the index that lost something. So do those of a mailbox that
 * has its place by now.
 */
export async function reclaim(folder: MixFolder, { holes, current, validity }: Emptied, signal: AbortSignal): Promise<void> {
  // Most expunges leave files that are worth keeping: then the index is not read.
  let due = false
  for (const [file, held] of holes) {
    const size = await folder.data.size(file)
    const fate = fateOf(held, size, file === current)
    if (fate === 'gone') holes.delete(file)
    if (fate === 'empty' || fate === 'sparse') due = true
  }
  if (!due) return
  await folder.locked('exclusive', signal, sayWaits(undefined), async (found) => {
    if (found.meta.validity !== validity) return
    await folder.alone(async () => {
      let held = found
      const table = parseIndex(await folder.whole('index', held.index))
      const used = holdings(table)
      const files: Record<Fate, number[]> = { gone: [], empty: [], sparse: [], 'worth-keeping': [] }
      for (const file of holes.keys()) files[fateOf(used.get(file) ?? NOTHING, await folder.data.size(file), file === held.meta.file)].push(file)
      for (const some of groups(files.sparse, used)) held = await move(folder, held, table, some, signal)
      // From here on nothing speaks of the old files.
      await folder.settle()
      for (const file of [...files.empty, ...files.sparse]) await folder.data.giveUp(file, file === held.meta.file)
      holes.clear()
    })
  })
}

type Fate = 'gone' | 'empty' | 'sparse' | 'worth-keeping'
/** `size`: octets of the file, 0 when there is none. What is empty already, or not there, needs no work. */
function fateOf(held: Holding, size: number, current: boolean): Fate {
  if (size === 0) return 'gone'
  if (held.octets === 0) return 'empty'
  return held.backwards || (!current && held.octets < WORTH_KEEPING * size) ? 'sparse' : 'worth-keeping'
}

/** Files whose messages fit into a new one together. */
function groups(files: readonly number[], used: ReadonlyMap<number, Holding>): number[][] {
  const out: number[][] = []
  let octets = Number.POSITIVE_INFINITY
  for (const file of files) {
    const more = used.get(file)?.octets ?? 0
    octets += more
    const last = out.at(-1)
    if (last !== undefined && octets <= MOST_DATA) last.push(file)
    else {
      out.push([file])
      octets = more
    }
  }
  return out
}

/**
 * Puts messages of these files into a new one, in the order of their UIDs: other programs take a message for shortened, and shorten it in the index,
 * when the next one of the same file stands before it. So they never go behind messages that are there. `table` is told of their new places.
 */
async function move(folder: MixFolder, held: Locked, table: IndexTable, files: readonly number[], signal: AbortSignal): Promise<Locked> {
  const from = new Set(files)
  const sequence = folder.nextSequence(held)
  const writer = folder.data.fresh(held.meta.file, sequence, MOST_DATA, signal)
  await writer.ready()
  try {
    const moved: (readonly [index: number, at: number])[] = []
    for (let i = 0; i < table.count; i++) {
      const old = table.file[i] ?? 0
      if (!from.has(old)) continue
      const [uid, size] = [table.uid[i] ?? 0, table.size[i] ?? 0]
      const start = (table.at[i] ?? 0) + (table.internal[i] ?? 0)
      moved.push([i, writer.at])
      await writer.record({ uid, ms: table.ms[i] ?? 0, zone: table.zone[i] ?? 0, size })
      for (let done = 0; done < size; ) {
        const piece = Buffer.allocUnsafe(Math.min(size - done, 1 << 18))
        const file = await folder.data.open(old)
        const got = (await file?.read(piece, start + done)) ?? 0
        // A message that cannot be read whole stays where it is.
        if (got === 0) throw new Error(`${folder.data.path(old)} ends before message ${uid} does`)
        await writer.add(piece.subarray(0, got))
        done += got
      }
    }
    await writer.begin()
    for (const [i, at] of moved) {
      table.file[i] = writer.file
      table.at[i] = at
      table.internal[i] = DATA_OCTETS
    }
    const lines = linesOf(table)
    return await folder.commit(held, sequence, {
      ...(from.has(held.meta.file) && { meta: { ...held.meta, file: writer.file } }),
      index: { patches: [{ at: SEQUENCE_OCTETS, bytes: lines }], size: SEQUENCE_OCTETS + lines.length },
      data: writer,
    })
  } catch (error) {
    // A write that is under way must not meet another file under the number of this one.
    await writer.settled()
    if (!folder.owes) await folder.data.giveUp(writer.file, false).catch(() => undefined)
    throw error
  }
}
function linesOf(table: IndexTable): Buffer {
  const lines = Buffer.alloc(table.count * INDEX_OCTETS)
  for (let i = 0; i < table.count; i++) {
    const place = { file: table.file[i] ?? 0, at: table.at[i] ?? 0, internal: table.internal[i] ?? 0, header: table.header[i] ?? 0 }
    putIndexLine(lines, i * INDEX_OCTETS, { uid: table.uid[i] ?? 0, ms: table.ms[i] ?? 0, zone: table.zone[i] ?? 0, size: table.size[i] ?? 0, ...place })
  }
  return lines
}
