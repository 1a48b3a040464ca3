import type { PlacedPatch } from './patch.js'

/** Patches as numbers one after the other, which cross to another thread at once; NaN for what stays. */
export type PackedPatches = Float64Array
const NUMBERS = 6

export function packed(patches: readonly PlacedPatch[]): PackedPatches {
  const out = new Float64Array(NUMBERS * patches.length)
  for (const [n, { i, at, clear, set, keywords = Number.NaN, uid = Number.NaN }] of patches.entries()) out.set([i, at, clear, set, keywords, uid], NUMBERS * n)
  return out
}
export function unpacked(numbers: PackedPatches): readonly PlacedPatch[] {
  const out: PlacedPatch[] = []
  for (let n = 0; n < numbers.length; n += NUMBERS) {
    const [i = 0, at = 0, clear = 0, set = 0, keywords = 0, uid = 0] = numbers.subarray(n, n + NUMBERS)
    out.push({ i, at, clear, set, keywords: Number.isNaN(keywords) ? undefined : keywords, uid: Number.isNaN(uid) ? undefined : uid })
  }
  return out
}
