import type { ImapCursor, MailSession, SearchKey, SearchPlan, SearchTerm, SessionIn } from '../api/index.js'
import { parseSearchKeys } from '../wire/imap/search-program.js'
import { wire } from './arguments.js'
import type { ImapTables } from './extensions/tables.js'
import { liveSession } from './live.js'
import { searchDecoder } from './search-charset.js'

/** A search, and the extensions' keys that it names. */
export interface ParsedSearch {
  readonly term: SearchTerm
  readonly keys: ReadonlySet<SearchKey>
}

/** The rest of the command as a search, with this session's extension keys; sequence numbers mean what they mean now. */
export function parseSearch(input: ImapCursor, tables: ImapTables, session: MailSession, charset: string): ParsedSearch {
  const view = session.selected
  if (view === undefined) throw new Error('a search needs a selected mailbox')
  const keys = new Set<SearchKey>()
  const term = parseSearchKeys(wire(input), {
    resolve: (set, by) => view.uidsOf(view.resolve(set, by)),
    decode: searchDecoder(charset),
    extension(name, c, nested) {
      const key = tables.searchKeys.get(name)
      if (key !== undefined) keys.add(key)
      return key?.parse(c, nested, session)
    },
  })
  return { term, keys }
}

/** The plan of a command that searches, as its keys want it. */
export function planOf({ term, keys }: ParsedSearch, session: SessionIn<'selected'>, how: { readonly uid: boolean; readonly extended: boolean }): SearchPlan {
  const plan: SearchPlan = { view: session.selected, term, tag: liveSession(session).tag, ...how, result: [], write: [] }
  for (const key of keys) key.plan?.(plan, session)
  return plan
}
