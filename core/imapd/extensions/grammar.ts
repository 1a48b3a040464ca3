import type { ImapCursor, ImapGrammar, ImapSession, Listing, SealedFetchItem, SearchCriteria, SessionIn } from '../../api/index.js'
import { latin1 } from '../../mime/octets.js'
import { parseFetchItem } from '../items/bound-item.js'
import { listingOf } from '../listing.js'
import { checkCharset } from '../search-charset.js'
import { parseSearch, planOf } from '../search-term.js'
import type { ImapTables } from './tables.js'

/** The tables of one session, as commands and plugins may ask them. */
export class Grammar implements ImapGrammar {
  readonly tables: ImapTables
  constructor(tables: ImapTables) {
    this.tables = tables
  }
  get enable(): ImapGrammar['enable'] {
    return this.tables.enable
  }
  has(extension: string): boolean {
    return this.tables.extensions.has(extension)
  }
  fetchItem(input: ImapCursor): SealedFetchItem {
    return parseFetchItem(input, this.tables)
  }
  get sortKeys(): ImapGrammar['sortKeys'] {
    return this.tables.sortKeys
  }
  get threadings(): ImapGrammar['threadings'] {
    return this.tables.threadings
  }
  searchCriteria(input: ImapCursor, session: SessionIn<'selected'>): SearchCriteria {
    const charset = latin1(input.astring()).toUpperCase()
    checkCharset(charset)
    input.space()
    const parsed = parseSearch(input, this.tables, session, charset)
    input.end()
    return { plan: (uid) => planOf(parsed, session, { uid, extended: false }) }
  }
  listing(input: ImapCursor): Listing {
    return listingOf(input)
  }
}

/** The tables behind a session's grammar. */
export function tablesIn(session: Pick<ImapSession, 'grammar'>): ImapTables {
  if (session.grammar instanceof Grammar) return session.grammar.tables
  throw new Error('a session of this server has a grammar of this server')
}
