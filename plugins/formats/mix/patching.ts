import type { OpenFile } from 'mailwright/api'
import { allDone } from './all-done.js'
import type { Patch } from './redo.js'

/** Octets between two patches that are read and written anew with them, because a way through the pool of threads costs more than they do. */
const NEAR = 1 << 13
/** Patches that are written beside each other. */
const FEW = 4
/** Octets of one call. */
const PIECE = 1 << 18

/**
 * Writes patches, in their order where one writes over another. Those that follow each other closely go in one call, with what stands between them: only
 * under locks that keep everybody else from writing there.
 */
export async function writePatches(file: OpenFile, patches: readonly Patch[]): Promise<void> {
  const groups = closeTogether(patches)
  if (areApart(patches)) await allDone(groups.map((group) => writeGroup(file, group)))
  else for (const group of groups) await writeGroup(file, group)
}
async function writeGroup(file: OpenFile, group: readonly Patch[]): Promise<void> {
  if (!(await writtenAtOnce(file, group))) for (const { at, bytes } of group) await file.write([bytes], at)
}
/** Few that have no octet in common; for many the way through the pool of threads is no shorter beside each other. */
function areApart(patches: readonly Patch[]): boolean {
  return patches.length <= FEW && patches.every((p, i) => patches.every((q, j) => j <= i || q.at >= p.at + p.bytes.length || p.at >= q.at + q.bytes.length))
}
function closeTogether(patches: readonly Patch[]): readonly (readonly Patch[])[] {
  const groups: Patch[][] = []
  let [start, end] = [0, Number.POSITIVE_INFINITY]
  for (const patch of patches) {
    const { at, bytes } = patch
    const last = groups.at(-1)
    if (last !== undefined && at >= end && at - end <= NEAR && at + bytes.length - start <= PIECE) last.push(patch)
    else {
      groups.push([patch])
      start = at
    }
    end = at + bytes.length
  }
  return groups
}
/** False when it is one patch alone, or what stands between them cannot be read. */
async function writtenAtOnce(file: OpenFile, group: readonly Patch[]): Promise<boolean> {
  const [first, last] = [group[0], group.at(-1)]
  if (first === undefined || last === undefined || first === last) return false
  const octets = last.at - first.at
  if (octets === group.reduce((sum, { bytes }) => sum + bytes.length, -last.bytes.length)) {
    await file.write(group.map(({ bytes }) => bytes), first.at)
    return true
  }
  const into = Buffer.allocUnsafe(octets)
  if (file.readNow?.(into, first.at) !== true && (await file.read(into, first.at)) < into.length) return false
  for (const { at, bytes } of group) if (at < last.at) into.set(bytes, at - first.at)
  await file.write([into, last.bytes], first.at)
  return true
}
