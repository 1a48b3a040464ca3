import type { ImapCursor, ImapGrammar, ImapSession, Listing, MailSession, SealedFetchItem, SearchTerm } from '../../api/index.js'
import { parseFetchItem } from '../items/bound-item.js'
import { listingOf } from '../listing.js'
import { parseSearch } from '../search-term.js'
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
  searchProgram(input: ImapCursor, session: MailSession, charset: string): SearchTerm {
    return parseSearch(input, this.tables, session, charset).term
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
