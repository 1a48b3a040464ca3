import type { SeededRandom } from '../random.js'
import { isDataOp, isNameOp, type DataOp, type DiskOp, type Inode, type NameOp } from './disk-op.js'
import { InodeTable } from './inode-table.js'

/**
 * What becomes of changes that were not synced when the machine stops.
 *
 * `kept`: all are there (the process was killed). `dropped`: none is. `data-only` and `names-only`: contents without new names,
 * names without new contents (an empty file after a rename). `torn`: each by chance, whole, in part or not at all, and in any order.
 */
export type CrashMode = 'kept' | 'dropped' | 'data-only' | 'names-only' | 'torn'
export const CRASH_MODES: readonly CrashMode[] = ['kept', 'dropped', 'data-only', 'names-only', 'torn']

const SECTOR = 512

/** The disk after a crash behind the first `count` changes of the log. */
export function afterCrash(before: InodeTable, log: readonly DiskOp[], count: number, mode: CrashMode, random: SeededRandom): InodeTable {
  const disk = before.clone()
  const done = log.slice(0, count)
  if (mode === 'kept') {
    for (const op of done) disk.apply(op)
    return disk
  }
  const survivors = choose(done, mode, random)
  for (const op of survivors) disk.apply(op)
  return disk
}

/** Index of the last sync of each inode; what came before it is durable. */
function lastSyncs(done: readonly DiskOp[], kind: 'sync' | 'sync-directory'): Map<Inode, number> {
  const syncs = new Map<Inode, number>()
  for (const [i, op] of done.entries()) if (op.op === kind) syncs.set(op.inode, i)
  return syncs
}

function choose(done: readonly DiskOp[], mode: Exclude<CrashMode, 'kept'>, random: SeededRandom): DiskOp[] {
  const dataSyncs = lastSyncs(done, 'sync')
  const nameSyncs = lastSyncs(done, 'sync-directory')
  const nameCuts = mode === 'torn' ? cutNames(done, nameSyncs, random) : undefined
  const out: DiskOp[] = []
  for (const [i, op] of done.entries()) {
    if (isNameOp(op)) {
      if (i < (nameSyncs.get(op.dir) ?? -1) || keepsName(i, op, mode, nameCuts)) out.push(op)
      // A new inode is there once anything of it is: its name may come later, by a rename that is durable.
      else if (op.op === 'create') out.push({ ...op, dir: -1 })
    } else if (isDataOp(op)) {
      if (i < (dataSyncs.get(op.inode) ?? -1) || mode === 'data-only') out.push(op)
      else if (mode === 'torn') out.push(...tear(op, random))
    }
  }
  return out
}

function keepsName(index: number, op: NameOp, mode: Exclude<CrashMode, 'kept'>, cuts: Map<Inode, number> | undefined): boolean {
  return mode === 'names-only' || (mode === 'torn' && index < (cuts?.get(op.dir) ?? -1))
}

/** The names of one directory change in order: some first part of what was not synced is there. */
function cutNames(done: readonly DiskOp[], syncs: Map<Inode, number>, random: SeededRandom): Map<Inode, number> {
  const unsynced = new Map<Inode, number[]>()
  for (const [i, op] of done.entries()) {
    if (!isNameOp(op) || i < (syncs.get(op.dir) ?? -1)) continue
    unsynced.set(op.dir, [...(unsynced.get(op.dir) ?? []), i])
  }
  const cuts = new Map<Inode, number>()
  for (const [dir, places] of unsynced) cuts.set(dir, places[random.below(places.length + 1)] ?? Number.POSITIVE_INFINITY)
  return cuts
}

/** Whole, its first octets, its last sectors, all but some sectors in the middle, only its length, or nothing. */
function tear(op: DataOp, random: SeededRandom): DataOp[] {
  const kind = random.below(6)
  if (kind === 0) return []
  if (kind === 1 || op.op !== 'write' || op.bytes.length === 0) return [op]
  const { inode, at, bytes } = op
  if (kind === 2) return [{ op: 'write', inode, at, bytes: bytes.subarray(0, random.below(bytes.length)) }]
  if (kind === 3) {
    // Sectors reach the disk in any order; this one's first are missing.
    const cut = Math.min(bytes.length, Math.ceil(random.below(bytes.length) / SECTOR) * SECTOR)
    return [{ op: 'write', inode, at: at + cut, bytes: bytes.subarray(cut) }]
  }
  if (kind === 4) {
    // Not `slice`, which of a Buffer is no copy.
    const hole = new Uint8Array(bytes)
    const from = random.below(bytes.length)
    hole.fill(0, from, Math.min(bytes.length, from + SECTOR * (1 + random.below(4))))
    return [{ op: 'write', inode, at, bytes: hole }]
  }
  return [{ op: 'write', inode, at: at + bytes.length, bytes: new Uint8Array(0) }]
}
