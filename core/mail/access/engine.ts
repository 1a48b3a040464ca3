import { ENVELOPE, uids } from '../../api/index.js'
import type { Clock, SearchAbility, SearchTerm, SortKey, UidSet } from '../../api/index.js'
import { OrderMemory } from '../order/memory.js'
import { inOrder } from '../order/sort.js'
import { rowsIn, valuesOf } from '../order/values.js'
import type { SearchContext } from '../search/context.js'
import { search } from '../search/search.js'
import { factsOf } from '../view/facts.js'
import type { TableView } from '../view/view.js'
import type { SearchEngine } from './context.js'

/** Whether envelopes answer a branch of the term. */
function asksEnvelopes(term: SearchTerm): boolean {
  switch (term.kind) {
    case 'and':
    case 'or':
      return term.terms.some(asksEnvelopes)
    case 'not':
      return asksEnvelopes(term.term)
    case 'day':
      return term.of === 'sent'
    case 'text':
      return typeof term.in === 'object' || term.in === 'addresses'
    default:
      return false
  }
}
/** What the general search sees of a view; cached envelopes are loaded when the term can use them. */
async function searchContext(
  view: TableView,
  ability: SearchAbility | undefined,
  term: SearchTerm,
  within: UidSet,
  clock: Clock,
  signal: AbortSignal,
): Promise<SearchContext> {
  const envelopes = asksEnvelopes(term) ? await factsOf(view.mailbox, ENVELOPE) : undefined
  if (envelopes !== undefined && view.announced > 0) {
    const { uid } = view.rows
    const last = Math.min(within.ranges[within.ranges.length - 1]!, uid[view.announced - 1]!)
    await envelopes.load(Math.max(within.ranges[0]!, uid[0]!), last)
  }
  return {
    get rows() {
      return view.rows
    },
    isRecent: (row) => view.isRecent(row),
    read: (set, wants, s) => view.readUids(set, wants, s),
    fill: (set, s) => view.mailbox.fill(set, s, view.epoch),
    factCache: (fact) => (fact.id === ENVELOPE.id && fact.version === ENVELOPE.version ? envelopes : undefined),
    ability,
    now: () => clock.now(),
    signal,
  }
}
/** Messages that are equal in a key are so in the same key named again, in whichever direction: one command may name thousands. */
function distinct(keys: readonly SortKey[]): readonly SortKey[] {
  const byName = new Map<string, SortKey>()
  for (const key of keys) if (!byName.has(key.by)) byName.set(key.by, key)
  return [...byName.values()]
}
/** Core's own search, with the source or an index for the branches and orders that they take. */
export function generalSearch(clock: Clock): SearchEngine {
  const memory = new OrderMemory()
  const find = async (view: TableView, ability: SearchAbility | undefined, term: SearchTerm, signal: AbortSignal): Promise<UidSet> => {
    if (view.announced === 0) return uids.none
    const all = view.uidsOf(view.resolve({ pairs: Uint32Array.of(1, view.announced) }, 'seq'))
    return search(term, all, await searchContext(view, ability, term, all, clock, signal))
  }
  return {
    async search(view, ability, term, within, signal) {
      return search(term, within, await searchContext(view, ability, term, within, clock, signal))
    },
    async sort(view, ability, keys, term, signal) {
      const found = await find(view, ability, term, signal)
      const telling = distinct(keys)
      return (await ability?.order?.(telling, found, signal)) ?? inOrder(view, telling, found, memory, signal)
    },
    async threads(view, ability, by, term, signal) {
      const found = await find(view, ability, term, signal)
      const facts = memory.of(view.mailbox)
      const before = by.lasting === true ? facts.threads.get(by.name, found) : undefined
      if (before !== undefined) return before
      const threads = await by.run(found, view, signal)
      if (by.lasting === true) facts.threads.keep(by.name, found, threads)
      return threads
    },
    values: (view, of, rows, signal) => valuesOf(view, of, rowsIn(rows.pairs, rows.count), memory, signal),
  }
}
