import { baseOf, FILE, isNew } from './columns.js'
import { firstOf } from './doubles.js'
import { CUR } from './listing.js'

/**
 * Files by what the rows say: what has no row (`arrived`, by base), rows that have other names now (`renamed`), those that were seen, and messages of which there are
 * several names (`doubled`, by base). Of these the row's own counts.
 * `known`: uids by base; `gone`: files that are known not to be there.
 */
export function sortFiles(rows, known, files, places, gone = new Set()) {
  const here = rows.column(FILE)
  const seen = new Uint8Array(rows.length)
  const [arrived, renamed, doubled] = [new Map(), new Map(), new Map()]
  const double = (base, ...names) => doubled.set(base, [...new Set([...(doubled.get(base) ?? []), ...names])])
  const isOneMore = (at, key, base, file) => {
    const other = at.get(key)
    if (other !== undefined) double(base, other, file)
    at.set(key, other === undefined ? file : firstOf(other, file))
  }
  for (const file of files) {
    const base = baseOf(file)
    const uid = known.get(base)
    if (uid === undefined) {
      isOneMore(arrived, base, base, file)
      continue
    }
    const row = rows.find(uid)
    if (here[row] === file) seen[row] = 1
    else isOneMore(renamed, row, base, file)
  }
  for (const [row, file] of renamed) {
    // What is in `cur` may not have been listed because it is as it was.
    const isElsewhere = isNew(file) && !isNew(here[row]) && !places.includes(CUR) && !gone.has(here[row])
    if (seen[row] === 1 || isElsewhere) {
      double(baseOf(file), here[row], file)
      renamed.delete(row)
    }
    seen[row] = 1
  }
  return { arrived, renamed, seen, doubled }
}
