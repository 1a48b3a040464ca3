import type { FixedFile, Held } from './fixed-file.js'
import type { Layout } from './layout.js'
import { NearReader, type Run } from './near-reader.js'

/** Octets of messages that are moved for each octet that is won, at most; what is little is moved anyway. */
const MOST_MOVED = 4
const LITTLE = 1 << 16

/** Whether taking back the room of hidden messages is worth its cost, so that each octet is moved a few times in its life. */
export function isWorthwhile(layout: Layout, start: number, size: number): boolean {
  const holes = size - start - layout.octets
  if (holes <= 0) return false
  let kept = 0
  let end = start
  for (let i = 0; i < layout.count; i++) {
    const offset = layout.at('offset', i)
    if (kept > 0 || offset > end) kept += layout.endOf(i) - offset
    end = layout.endOf(i)
  }
  return kept <= LITTLE || kept <= MOST_MOVED * holes
}

/**
 * Moves the messages together over what lies between them, in place and safe at any crash. `keep` says which stay. The caller is
 * alone. Returns where they are then.
 */
export async function compact(box: FixedFile, held: Held, layout: Layout, start: number, keep: (i: number) => boolean, signal: AbortSignal): Promise<Layout> {
  const moved = new Float64Array(layout.count)
  let end = start
  for (let i = 0; i < layout.count; i++) {
    if (!keep(i)) continue
    moved[i] = end
    end += layout.endOf(i) - layout.at('offset', i)
  }
  const { size } = held.stat
  await box.finishAhead(held)
  await box.changes.change(held, { kind: 'rewrite', size, start, cutFrom: start }, async (w) => {
    const reader = new NearReader(box.path, held.file, runsOf(layout, keep))
    for (let i = 0; i < layout.count; i++) {
      if (!keep(i)) continue
      const from = layout.at('offset', i)
      if (moved[i] === from) {
        w.stay(layout.endOf(i))
        continue
      }
      // Neighbours that stay together are written together.
      let last = i
      while (last + 1 < layout.count && keep(last + 1) && layout.at('offset', last + 1) === layout.endOf(last)) last++
      await w.copy(from, layout.endOf(last), (first, end) => reader.pieces(first, end, signal))
      i = last
    }
    reader.release()
  })
  return layout.moved(keep, moved)
}

/** Messages that stay, neighbours as one. */
function runsOf(layout: Layout, keep: (i: number) => boolean): readonly Run[] {
  const runs: { from: number; to: number }[] = []
  for (let i = 0; i < layout.count; i++) {
    if (!keep(i)) continue
    const from = layout.at('offset', i)
    const last = runs.at(-1)
    if (last?.to === from) last.to = layout.endOf(i)
    else runs.push({ from, to: layout.endOf(i) })
  }
  return runs
}
