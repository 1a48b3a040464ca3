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
const INODE_SECTOR = -1

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
  const torn = mode === 'torn' ? tornFiles(done, dataSyncs, random) : new Map<Inode, TornFile>()
  const out: DiskOp[] = []
  for (const [i, op] of done.entries()) {
    if (isNameOp(op)) {
      if (i < (nameSyncs.get(op.dir) ?? -1) || keepsName(i, op, mode, nameCuts)) out.push(op)
      // A new inode is there once anything of it is: its name may come later, by a rename that is durable.
      else if (op.op === 'create') out.push({ ...op, dir: -1 })
    } else if (isDataOp(op)) {
      if (i < (dataSyncs.get(op.inode) ?? -1) || mode === 'data-only') out.push(op)
      else out.push(...(torn.get(op.inode)?.survivors(i, op) ?? []))
    }
  }
  return out
}

function tornFiles(done: readonly DiskOp[], syncs: Map<Inode, number>, random: SeededRandom): Map<Inode, TornFile> {
  const places = new Map<Inode, number[]>()
  for (const [i, op] of done.entries()) {
    if (!isDataOp(op) || i < (syncs.get(op.inode) ?? -1)) continue
    const known = places.get(op.inode)
    if (known === undefined) places.set(op.inode, [i])
    else known.push(i)
  }
  return new Map([...places].map(([inode, list]) => [inode, new TornFile(list, random)]))
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

/**
 * Which of the unsynced changes of one file reached the disk. The disk takes whole sectors, each as it stood at some moment, in any
 * order; so of the writes to one sector the first few are there. Size and mode are a sector of their own.
 */
class TornFile {
  readonly #random: SeededRandom
  /** Indexes of the unsynced changes. */
  readonly #places: readonly number[]
  readonly #cuts = new Map<number, number>()
  readonly #inOrder: boolean
  constructor(places: readonly number[], random: SeededRandom) {
    this.#places = places
    this.#random = random
    this.#inOrder = random.chance(0.3)
  }
  /** Changes with a smaller index reached this sector. */
  #cut(sector: number): number {
    const key = this.#inOrder ? INODE_SECTOR : sector
    let cut = this.#cuts.get(key)
    if (cut === undefined) {
      const kind = this.#random.below(3)
      cut = kind === 0 ? -1 : kind === 1 ? Number.POSITIVE_INFINITY : (this.#places[this.#random.below(this.#places.length)] ?? 0)
      this.#cuts.set(key, cut)
    }
    return cut
  }
  survivors(index: number, op: DataOp): DataOp[] {
    const hasSize = index < this.#cut(INODE_SECTOR)
    if (op.op !== 'write') return hasSize ? [op] : []
    const { inode, at, bytes } = op
    const out: DataOp[] = []
    for (let from = 0; from < bytes.length; ) {
      const sector = Math.floor((at + from) / SECTOR)
      const until = Math.min(bytes.length, (sector + 1) * SECTOR - at)
      if (index < this.#cut(sector)) out.push({ op: 'write', inode, at: at + from, bytes: bytes.subarray(from, until) })
      from = until
    }
    if (hasSize) out.push({ op: 'write', inode, at: at + bytes.length, bytes: new Uint8Array(0) })
    return out
  }
}
