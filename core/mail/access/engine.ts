import { MailError } from '../../api/index.js'
import type { Clock, SearchAbility } from '../../api/index.js'
import type { TableView } from '../view/view.js'
import type { SearchContext } from '../search/context.js'
import type { SearchEngine } from './context.js'

/** What the general search sees of a view. */
export function searchContext(view: TableView, ability: SearchAbility | undefined, clock: Clock, signal: AbortSignal): SearchContext {
  return {
    get rows() {
      return view.rows
    },
    isRecent: (row) => view.isRecent(row),
    read: (set, wants, s) => view.readUids(set, wants, s),
    fill: (set, s) => view.mailbox.fill(set, s),
    ability,
    now: () => clock.now(),
    signal,
  }
}
/** Searches in the source or index alone. */
export function generalSearch(_clock: Clock): SearchEngine {
  return {
    async search(_view, ability, term, within, signal) {
      if (ability?.can(term) === 'exact') return ability.run(term, within, signal)
      throw new MailError('unsupported', 'this mailbox cannot be searched')
    },
    sort() {
      throw new MailError('unsupported', 'this mailbox cannot be sorted')
    },
  }
}
